"""The tests, and programs beside them, e.g. `python -m tests.envs.sc2.parity`."""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "src"))  # where the code is, installed or not
