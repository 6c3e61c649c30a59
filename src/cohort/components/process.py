"""What one process asks of the machine."""

import ctypes
import platform

import torch

# glibc's names for what is set below (malloc.h)
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def prepare_process(torch_threads: int) -> None:
    """Set the number of threads, and keep freed memory instead of returning it to the system.

    Learners free and ask again for the same megabytes in every update. glibc hands each such block back and forth,
    and the system clears every page anew: 10 to 15 % of an update's time (docs/performance.md).
    """
    torch.set_num_threads(torch_threads)
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        libc.mallopt(_M_TOP_PAD, 1 << 26)
