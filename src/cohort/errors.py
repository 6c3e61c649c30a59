"""The one exception meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user typed, named or owns is wrong.

    `run.py` prints the message alone, without a traceback, and exits with status 2. The message says what was
    given, what is allowed, and what to type instead.
    """
