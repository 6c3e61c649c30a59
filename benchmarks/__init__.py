"""Measurements; run them as modules, e.g. `python -m benchmarks.throughput`."""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "src"))  # where the code is, installed or not
