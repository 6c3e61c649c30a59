"""This program: where it lies, and what one types to start it."""

import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parents[1]  # holds run.py; an installed package lies in no checkout, and nothing is there


def program_name(started: str | None = None) -> str:
    """`cohort` or `python run.py`; `started` is what was started, by default this process."""
    name = Path(sys.argv[0] if started is None else started).name
    return "cohort" if name == "cohort" or not (CHECKOUT / "run.py").is_file() else "python run.py"
