import os
import signal
import threading

import pytest

from cohort.components.turns import Turns


def squared(numbers):
    return [number * number for number in numbers]


def test_what_all_wait_for_is_answered_together_and_each_gets_its_own():
    batches, got = [], {}

    def answer(numbers):
        batches.append(list(numbers))
        return squared(numbers)

    turns = Turns(answer)

    def body(number, questions):
        got[number] = [turns.ask(10 * number + each) for each in range(questions)]

    turns.run([lambda number=number: body(number, 4 - number) for number in range(3)])
    assert batches == [[0, 10, 20], [1, 11, 21], [2, 12], [3]]  # who has ended is not waited for
    assert got == {0: [0, 1, 4, 9], 1: [100, 121, 144], 2: [400, 441]}


def test_one_thread_runs_at_a_time():
    turns, running, seen = Turns(squared), [], []

    def body(number):
        for _ in range(50):
            running.append(number)
            threading.Event().wait(1e-5)  # others would come in here
            seen.append(len(running))
            running.remove(number)
            turns.ask(number)

    turns.run([lambda number=number: body(number) for number in range(5)])
    assert seen == [1] * 250


def test_a_failure_of_the_answer_reaches_everybody():
    failed = []

    def answer(numbers):
        raise ValueError("no answer")

    turns = Turns(answer)

    def body():
        try:
            turns.ask(1)
        except RuntimeError as error:
            failed.append(str(error.__cause__))

    turns.run([body, body, body])
    assert failed == ["no answer"] * 3


def test_without_bodies_there_is_nothing_to_do():
    Turns(squared).run([])


@pytest.fixture
def interruptible():
    """A worker of pytest-xdist ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("bodies", [1, 4])
def test_an_interrupt_ends_every_thread_at_what_it_asks_for_next(bodies, interruptible):
    turns, ended = Turns(squared), []

    def body():
        try:
            for each in range(10**9):
                turns.ask(each)
                if each == 20 and not ended:
                    os.kill(os.getpid(), signal.SIGINT)
                    ended.append("told")
        except KeyboardInterrupt:
            ended.append("interrupted")

    turns.run([body] * bodies)
    assert ended == ["told"] + ["interrupted"] * bodies
