"""Metrics for TensorBoard."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from cohort.errors import UserError
from cohort.recording.metrics import Record


class TensorBoardMirror:
    """Writes every metric as a scalar over environment steps."""

    name = "TensorBoard"

    def __init__(self, folder: Path) -> None:
        """Write into `folder`, which appears with the first event.

        Raises:
            UserError: the package is not installed.
        """
        self._module = self.refuse_missing()
        self._folder = folder
        self._writer: Any = None

    @staticmethod
    def refuse_missing() -> ModuleType:
        """The package that writes events.

        Raises:
            UserError: it is not installed.
        """
        try:
            return importlib.import_module("torch.utils.tensorboard")
        except ImportError as error:
            raise UserError(
                "TensorBoard was asked for but is not installed. Type: pip install 'tensorboard>=2.20,<3'\n"
                "or leave it out with use_tensorboard=False."
            ) from error

    def begin(self, earlier: Sequence[Record]) -> None:
        """Continue the events of earlier sessions; those after the last known step are taken back."""
        purge = earlier[-1].t_env + 1 if earlier else 0
        self._writer = self._module.SummaryWriter(str(self._folder), purge_step=purge, flush_secs=30)

    def log(self, record: Record) -> None:
        """Add one event per metric."""
        for name, value in record.metrics.items():
            self._writer.add_scalar(name, value, record.t_env)

    def close(self) -> None:
        """Write what is waiting and end the writer's thread."""
        if self._writer is not None:
            self._writer.close()
