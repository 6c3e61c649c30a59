"""What one process asks of the machine."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# glibc's names for what is set below (malloc.h)
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8


def prepare_process(torch_threads: int) -> None:
    """Set the number of threads, and keep freed memory instead of returning it to the system.

    Learners free and ask again for the same megabytes in every update. glibc hands each such block back and forth,
    and the system clears every page anew: 10 to 15 % of an update's time (docs/performance.md).
    """
    torch.set_num_threads(torch_threads)
    _tell_malloc({_M_MMAP_THRESHOLD: 1 << 30, _M_TRIM_THRESHOLD: (1 << 31) - 1, _M_TOP_PAD: 1 << 26})


@contextmanager
def subnormals_as_zeros() -> Iterator[None]:
    """Within it, this thread counts numbers below 1.2e-38 as 0. Use it around the work, never for a whole process.

    Processors multiply with such numbers many times slower. They come up where a gradient fades out, as in attention
    among two agents, and made MAMT's updates four times as slow (docs/performance.md). Outside of
    updates numbers stay as IEEE 754 has them: what simulators and users' code compute does not depend on it.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def share_freed_memory() -> None:
    """Have threads that will start take their memory from one store, as is good for those that take turns.

    glibc gives each thread one of its own, of parts of 64 MB: what does not fit in, the system clears every time.
    """
    _tell_malloc({_M_ARENA_MAX: 1})


def _tell_malloc(options: dict[int, int]) -> None:
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for option, value in options.items():
            libc.mallopt(option, value)
