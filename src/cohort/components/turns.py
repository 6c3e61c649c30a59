"""Several threads that take turns, and what all of them wait for, done for all of them at once."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Turns(Generic[Request, Answer]):
    """Threads of which one runs at a time, until it asks for something or ends.

    Once all that have not ended wait for an answer, everything that was asked for is answered together, and they go on
    in the same order. So what a thread meets does not depend on the machine's speed, and no two ever run at once.
    """

    def __init__(self, answer: Callable[[Sequence[Request]], Sequence[Answer]]) -> None:
        """`answer` does what is asked for: one answer for each request."""
        self._answer = answer
        self._own = threading.local()  # a thread's number
        self._begins: list[threading.Semaphore] = []  # a turn of each thread
        self._next: deque[int] = deque()  # whose turns come
        self._requests: dict[int, Request] = {}  # of those that wait
        self._answers: dict[int, Answer] = {}
        self._failure: Exception | None = None  # of an answer: nobody survives it
        self._interrupted = False
        self._over = threading.Event()

    def run(self, bodies: Sequence[Callable[[], None]]) -> None:
        """Carry out all `bodies`, each in a thread of its own; none of them raises.

        A KeyboardInterrupt that comes while they run is raised in each of them, at what it asks for next.
        """
        if not bodies:
            return
        self._begins = [threading.Semaphore(0) for _ in bodies]
        self._next.extend(range(len(bodies)))
        threads = [threading.Thread(target=self._carry_out, args=each) for each in enumerate(bodies)]
        for thread in threads:
            thread.start()
        self._pass_on()
        while not self._over.is_set():
            try:
                self._over.wait()  # an interrupted `join` takes its thread for ended
            except KeyboardInterrupt:
                self._interrupted = True
        for thread in threads:
            thread.join()

    def ask(self, request: Request) -> Answer:
        """Called in one of the threads: the answer, once all others wait, too."""
        number = self._own.number
        self._requests[number] = request
        self._pass_on()
        self._begins[number].acquire()
        if self._interrupted:
            raise KeyboardInterrupt
        if self._failure is not None:
            raise RuntimeError("what several threads waited for has failed") from self._failure
        return self._answers.pop(number)

    def _carry_out(self, number: int, body: Callable[[], None]) -> None:
        self._own.number = number
        self._begins[number].acquire()
        try:
            body()
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        """Let another thread run; before that, if all wait, answer them."""
        if not self._next and self._requests:
            self._next.extend(self._requests)
            try:
                self._answers = dict(
                    zip(self._next, self._answer(list(self._requests.values())), strict=True)
                )
            except Exception as failure:
                self._failure = failure
            self._requests.clear()
        if self._next:
            self._begins[self._next.popleft()].release()
        else:
            self._over.set()
