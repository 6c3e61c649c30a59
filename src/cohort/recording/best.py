"""The best model of a run so far: remembered in checkpoints, and kept in a file."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cohort.recording.models import save_best


class BestModel:
    """The learner as it was at the evaluation whose metric was largest, the first of equal ones.

    The file follows what is remembered: a run that returns to a checkpoint returns to the best of that moment, too.
    """

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.kept: dict[str, Any] | None = None  # `metric`, `value`, `t_env` and `learner`

    def offer(self, value: float, t_env: int, learner: Callable[[], dict[str, Any]], path: Path) -> None:
        """Keep what `learner` gives, tensors of its own, if `value` is larger than all before; never if not finite."""
        if not math.isfinite(value) or (self.kept is not None and value <= self.kept["value"]):
            return
        self.kept = {"metric": self.metric, "value": float(value), "t_env": t_env, "learner": learner()}
        save_best(self.kept, path)

    def settle(self, path: Path) -> None:
        """Make the file what is remembered: a killed session may have kept a model of steps that are to come again."""
        if self.kept is None:
            path.unlink(missing_ok=True)
        else:
            save_best(self.kept, path)

    def describe(self) -> str:
        """One line for people; nothing while nothing is kept."""
        if self.kept is None:
            return ""
        return f"{self.metric} {self.kept['value']:.4f} at {self.kept['t_env']:,} steps"

    def state_dict(self) -> dict[str, Any]:
        return {"kept": self.kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.kept = state["kept"]
