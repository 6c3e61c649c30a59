"""Metrics for Weights & Biases: the only module that knows it."""

import importlib
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from cohort.errors import UserError
from cohort.recording.credentials import without_credentials
from cohort.recording.files import write_text_atomically
from cohort.recording.metrics import Record

KEY_VARIABLE = "WANDB_API_KEY"
REQUIREMENTS = "requirements/wandb.txt"
START_SECONDS = 20.0  # how long a server may take to answer at the start
FINISH_SECONDS = 60.0  # how long the last points may take at the end; `wandb sync` sends what is then missing


class WandbMirror:
    """Logs every metric over environment steps, in one run of W&B for all sessions of a run.

    What was sent is remembered in the run's folder: a resumed run goes on from its checkpoint, which may lie before the
    last step that was sent, and sends nothing twice.
    """

    name = "Weights & Biases"

    def __init__(
        self, folder: Path, *, name: str, project: str, team: str | None, mode: str, config: Mapping[str, Any]
    ) -> None:
        """A run called `name`, which appears with the first session.

        Args:
            folder: for W&B's files.
            name: of the run.
            project: that it belongs to.
            team: its entity; None for the user's own.
            mode: `online` or `offline`.
            config: the run's configuration.

        Raises:
            UserError: the package is not installed.
        """
        self._module = self.refuse_missing()
        self._folder, self._memory = folder, folder / "cohort.json"
        self._told = {"name": name, "project": project, "entity": team, "mode": mode}
        self._config = dict(config)
        self._run: Any = None
        self._id, self._sent = uuid.uuid4().hex[:16], -1

    @staticmethod
    def refuse_missing() -> ModuleType:
        """The package.

        Raises:
            UserError: it is not installed.
        """
        try:
            return importlib.import_module("wandb")
        except ImportError as error:
            raise UserError(
                f"Weights & Biases was asked for but is not installed. Type: pip install -r {REQUIREMENTS}\n"
                "or leave it out with use_wandb=False."
            ) from error

    def begin(self, earlier: Sequence[Record]) -> None:
        """Start or go on, and send what earlier sessions logged and could not send."""
        self._folder.mkdir(exist_ok=True)
        self._recall()
        try:
            self._run = self._module.init(
                **self._told,
                id=self._id,
                resume="allow",
                config=self._config,
                dir=str(self._folder.parent),  # it makes a folder `wandb` in there
                settings=self._settings(),
            )
        except Exception as error:
            raise RuntimeError(f"{_first_line(error)}{self._how_to_mend()}") from None
        if self._told["mode"] == "online":  # the server knows best what it has
            self._sent = self._run.step - 1
        self._remember()
        for record in earlier:
            self.log(record)

    def log(self, record: Record) -> None:
        """Add the metrics at their environment step, unless an earlier session did."""
        if record.t_env <= self._sent:
            return
        self._run.log(record.metrics, step=record.t_env)
        self._remember(record.t_env)

    def close(self) -> None:
        """Send what is waiting, and end the process that does."""
        if self._run is not None:
            self._run.finish()
            self._module.teardown()

    def _settings(self) -> Any:
        """Silent, so that it asks nobody for a key, and without what holds secrets: command lines, remotes, output."""
        return self._module.Settings(
            silent=True, console="off", save_code=False, disable_git=True, x_disable_meta=True, x_disable_stats=True,
            init_timeout=START_SECONDS, finish_timeout=FINISH_SECONDS, finish_timeout_raises=True,
        )  # fmt: skip

    def _recall(self) -> None:
        try:
            known = json.loads(self._memory.read_text())
            self._id, self._sent = str(known["id"]), int(known["sent"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # the first session, or a file that someone damaged: a new run of W&B has everything

    def _remember(self, sent: int | None = None) -> None:
        """Several lines may be of one step: only what earlier sessions sent is left out."""
        known = {"id": self._id, "sent": max(self._sent, -1 if sent is None else sent)}
        write_text_atomically(self._memory, json.dumps(known) + "\n", durable=False)

    def _how_to_mend(self) -> str:
        return (
            " (wandb login stores a key; wandb_mode=offline needs none)"
            if self._told["mode"] == "online"
            else ""
        )


def _first_line(error: Exception) -> str:
    """What W&B says, without the key that it was given."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    key = os.environ.get(KEY_VARIABLE)
    return without_credentials(text.replace(key, "***") if key else text)
