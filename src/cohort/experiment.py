"""One run: its pieces are put together here, and here is the one training loop."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from cohort.assembly import build_trainer
from cohort.components.native import allow_native_code
from cohort.components.process import prepare_process
from cohort.components.seeding import derive_seed
from cohort.components.state import all_finite, copied
from cohort.configuration.plan import Plan
from cohort.errors import UserError
from cohort.learners.base import Learner
from cohort.learners.transfer import Transfer
from cohort.recording.best import BestModel
from cohort.recording.checkpoints import save_atomically
from cohort.recording.folder import RunFolder
from cohort.recording.models import save_model
from cohort.recording.recorder import Recorder
from cohort.recording.stop import Stop
from cohort.registry import nearest
from cohort.trainers.base import StepCallback, Trainer


class Experiment:
    """Evaluate, collect, learn, record, checkpoint, until `t_max`. What is taught, and how, is the trainer's."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        """Build everything and write nothing. `say` prints one line for the user."""
        self.plan, self.settings = plan, plan.run
        prepare_process(plan.run.torch_threads)
        allow_native_code(plan.run.native_code)
        self.device = choose_device(plan.run.use_cuda)
        torch.manual_seed(derive_seed(plan.run.seed, "networks"))
        say(f"device: {torch.cuda.get_device_name() if self.device.type == 'cuda' else 'CPU'}")
        self.trainer: Trainer = build_trainer(plan, self.device, say)
        self.learner = self.trainer.learner
        self.best = self._best_model(plan.run.save_best)
        self.transferred: dict[str, Any] | None = None  # what was taken over from another run
        self._done: dict[str, int | None] = {"test": None, "log": 0, "checkpoint": 0, "model": None}

    def train(self, recorder: Recorder, folder: RunFolder, stop: Stop) -> None:
        """The run from where it stands to `t_max`, or to the end of the round in which a stop is requested."""
        if self.best:
            self.best.settle(folder.best)
        self._report(recorder, folder)
        while not self.finished:
            try:
                self.trainer.iterate()
            except Exception:
                if all_finite(self.learner.state_dict()):
                    raise
                recorder.tell_of_divergence(
                    "what is learned is", self.trainer.t_env
                )  # and nothing can play by it
                return
            self.trainer.report_crashes()
            recorder.tick(self.trainer.t_env, self.learner.updates, self.trainer.episode)
            self._report(recorder, folder)
            if recorder.diverged and self.settings.when_diverged == "stop":
                return  # the last checkpoint is one from before
            ends = self.finished or stop.requested
            if self._due("checkpoint", self.settings.checkpoint_interval, now=ends):
                self.save(recorder, folder.checkpoint)
            if stop.requested:
                return

    def _report(self, recorder: Recorder, folder: RunFolder) -> None:
        """Log, evaluate and keep the model, each when it is due; all of them at the end."""
        settings, metrics = self.settings, {}
        if self._due("log", settings.log_interval, now=self.finished):
            metrics |= self.trainer.metrics() | self.trainer.worker_metrics()
            metrics["episode"] = float(self.trainer.episode)  # PyMARL's readers know it as a metric
        if self._due("test", settings.test_interval, now=self.finished):
            metrics |= self.evaluate()
        if metrics:
            self._log(recorder, metrics)
        if self.best and self.best.metric in metrics:
            value, model = metrics[self.best.metric], lambda: copied(self.learner.state_dict())
            self.best.offer(value, self.trainer.t_env, model, folder.best)
        if settings.save_model and self._due("model", settings.save_model_interval, now=self.finished):
            save_model(self.learner.state_dict(), folder.models, self.trainer.t_env)

    @property
    def finished(self) -> bool:
        return self.settings.evaluate or self.trainer.t_env >= self.settings.t_max

    def evaluate_only(self, recorder: Recorder, folder: RunFolder) -> None:
        """One evaluation of what was loaded, kept to be watched if asked."""
        with self.trainer.filmed(folder) if self.settings.save_replay else nullcontext() as watch:
            self._log(recorder, self.evaluate(watch) | self.trainer.worker_metrics())

    def evaluate(self, watch: StepCallback = None) -> dict[str, float]:
        """Test metrics of exactly what is taught at this moment."""
        return self.trainer.evaluate(watch)

    @property
    def environment_facts(self) -> Mapping[str, str | int]:
        """What the record should say about a game that is not ours, as its version."""
        return self.trainer.environment_facts

    def close(self) -> None:
        """Stop what was started beside this process."""
        self.trainer.close()

    def _log(self, recorder: Recorder, metrics: dict[str, float]) -> None:
        recorder.log(self.trainer.t_env, self.learner.updates, self.trainer.episode, metrics)

    def _due(self, what: str, interval: int, *, now: bool = False) -> bool:
        """Whether `interval` environment steps have passed since this was last done; if so it counts as done."""
        t_env, before = self.trainer.t_env, self._done[what]
        due = before is None or t_env - before >= interval or (now and before < t_env)
        if due:
            self._done[what] = t_env
        return due

    def save(self, recorder: Recorder, path: Path) -> None:
        """A checkpoint from which the run goes on as if it had never stopped."""
        state = {
            **self.state_dict(),
            "recorder": recorder.state_dict(),
            "config": self.plan.plain_config(),
        }
        save_atomically(state, path, keep_previous=True)

    def state_dict(self) -> dict[str, Any]:
        best = {"best": self.best.state_dict()} if self.best else {}
        return {"trainer": self.trainer.state_dict(), "done": dict(self._done), **best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.trainer.load_state_dict(state["trainer"])
        self._done = dict(state["done"])
        if self.best:
            self.best.load_state_dict(state["best"])

    def load_model(self, state: dict[str, Any], step: int) -> None:
        """Start from a saved model: networks, targets and optimiser as they were at `step`."""
        self.trainer.load_model(state, step)

    def transfer(self, state: dict[str, Any], source: str) -> Transfer:
        """Begin a new run with what matches of a saved model's networks, as the learner's `transfer` says.

        Raises:
            UserError: nothing matches, or there are no networks by name.
        """
        if not isinstance(self.learner, Learner) or "networks" not in state:
            raise UserError(
                f"transfer_from={source}: weights go from team to team, and one of the two is none."
            )
        parts = self.learner.transfer(state)
        self.transferred = {"from": source, **{name: each.as_dict() for name, each in parts.items()}}
        return parts["networks"]

    def _best_model(self, metric: str | None) -> BestModel | None:
        """Raises `ValueError` where no evaluation will log the metric."""
        if metric is None:
            return None
        known = list(self.trainer.test_metrics)
        if not known:
            raise ValueError(
                f"save_best = {metric!r}: the evaluations of trainer={self.plan['trainer'].name} choose no model: "
                "save_best=null"
            )
        if metric not in known:
            raise ValueError(
                f"save_best = {metric!r}: no evaluation of this run logs that.{nearest(metric, known)} "
                f"Logged: {', '.join(known)}."
            )
        return BestModel(metric)


def choose_device(use_cuda: bool) -> torch.device:
    return torch.device("cuda" if use_cuda and torch.cuda.is_available() else "cpu")
