"""Command lines of the jobs beside training."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from cohort.errors import UserError
from cohort.program import program_name
from cohort.registry import nearest


class Parser(argparse.ArgumentParser):
    """Reports through `UserError`, with the nearest option, as everything else does."""

    def __init__(self, command: str, description: str, epilog: str = "") -> None:
        """A parser of the words after `run.py <command>`; examples in `epilog` are written with `run.py`."""
        super().__init__(
            prog=f"{program_name()} {command}",
            description=description,
            epilog=epilog.replace("run.py ", f"{program_name()} "),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The options. Raises `UserError` on words that mean nothing."""
        options, strange = self.parse_known_intermixed_args(words)
        if strange:
            known = [option for option in self._option_string_actions if option.startswith("--")]
            hint = nearest(strange[0].partition("=")[0], known)
            self.error(f"unknown option {strange[0]!r}{'.' + hint if hint else ''}")
        return options

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith("?") else "."
        raise UserError(f"{message}{end}\nMore: {self.prog} --help")
