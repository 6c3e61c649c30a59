"""Loading large packages."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """While torch is loaded within, and from then on, no time goes into looking for garbage in it.

    It makes some hundred thousand objects that stay to the end. Python's search goes over all of them, again and again
    while they become more, once more at the exit: a tenth to a fifth of what a short run takes.
    """
    enabled, first = gc.isenabled(), "torch" not in sys.modules
    gc.disable()
    try:
        yield
    finally:
        if first:  # later, what is there may be garbage
            gc.freeze()
        if enabled:
            gc.enable()
