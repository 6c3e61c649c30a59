"""The one exception meant for the person at the keyboard, and what several places say with it."""


class UserError(Exception):
    """Something the user typed, named or owns is wrong.

    `run.py` prints the message alone, without a traceback, and exits with status 2. The message says what was
    given, what is allowed, and what to type instead.
    """


def missing_package(asked_for: str, error: ImportError, requirements: str) -> UserError:
    """Of something, as `--search`, that needs a package which the file `requirements` brings."""
    return UserError(
        f"{asked_for} needs the package {error.name!r}, which is not installed.\n"
        f"Install it: pip install -r {requirements}"
    )
