"""A disk that takes no more: what to tell the person who has to make room."""

import errno

_ADVICE = {
    errno.ENOSPC: "Make room",
    errno.EDQUOT: "Make room within your quota",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "Make the disk writable",
    errno.EACCES: "Make the folder writable",
    errno.EPERM: "Make the folder writable",
    errno.EIO: "Look after the disk",
}
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def is_storage_failure(error: BaseException) -> bool:
    """Whether `error` says that something could not be written."""
    return isinstance(error, OSError) and error.errno in _ADVICE


def storage_failure(error: OSError, what: str, needed: int, then: str) -> str:
    """One sentence about a failure to write `what`, and one that says what to do: make room, `then` go on."""
    room = f", {max(1, round(needed / 1e6)):,} MB for a checkpoint" if needed else ""
    return f"{what} could not be written: {error.strerror}. {_ADVICE[error.errno]}{room}, {then}"
