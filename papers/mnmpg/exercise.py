"""What an exercise move does to a team, tried again and again from one and the same moment of a run."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice, repeat
from typing import NamedTuple

import torch
from torch import Tensor

from cohort.analysis.folders import FolderRun
from cohort.components.episodes import Episodes
from cohort.components.state import copied
from cohort.configuration.plan import Sources, make_plan
from cohort.experiment import Experiment
from cohort.recording.checkpoints import load_checkpoint
from papers.run_selector import RunSelector
from papers.table import Table

TRIALS = 8  # of each kind
EPISODES = 256  # that tell how good the team is after a trial
DRAWS = 20  # of z for one and the same D0, each followed by twice as many episodes
TRAINER = "meta_mixing"

HEADINGS = ("run", "steps", "learning rate", "updates on", "return (± se)", "loss before each update")
NOTES = (
    "Every trial begins with the networks and optimisers of the run's checkpoint. Returns: means over "
    f"{TRIALS} trials of {EPISODES} exploring episodes.",
    f"draws of z: {DRAWS} exercise moves on one D0 that differ in z alone, then {2 * EPISODES} episodes; p: the chance "
    "of means as different as these, did z not matter.",
)

Batches = Iterator[Episodes]  # what one update after the other learns from


class Tried(NamedTuple):
    """A trial: how good the team is after it, and what it saw."""

    score: float  # the mean return
    losses: list[float]  # before each update


class Rehearsal:
    """A run of MNMPG at its checkpoint, to which every trial returns."""

    def __init__(self, run: FolderRun, rate: float = 1.0) -> None:
        """The run with `rate` times its learning rate."""
        rates = {key: run.config[key] for key in ("lr", "lr_final") if run.config.get(key) is not None}
        typed = {key: rate * value for key, value in rates.items()} | {"use_cuda": False}
        self.experiment = Experiment(make_plan(Sources.of_run(run.folder.config, typed)), lambda line: None)
        self.experiment.load_state_dict(load_checkpoint(run.folder.checkpoint))
        self.trainer, self.learner = self.experiment.trainer, self.experiment.learner
        self._games = self.trainer.make_runner(EPISODES, "rehearsal")
        self._moment = copied(self.learner.state_dict())

    @property
    def learning_rate(self) -> float:
        return self.learner.settings.rate.at(self.trainer.t_env)

    def fresh(self) -> Episodes:
        """As many episodes of the present team as D0 has."""
        return self.trainer.meta_runner.run(t_env=self.trainer.t_env, explore=True).as_numbers()

    def with_z(self, episodes: Episodes) -> Episodes:
        """These as D0."""
        return self.learner.meta.store_z(episodes)

    def replayed(self) -> Episodes:
        """A batch of the replay memory."""
        return self.trainer.draw()

    def begin_again(self, seed: int) -> None:
        """Back to the checkpoint; `seed` decides which z are drawn from now on."""
        self.learner.load_state_dict(copied(self._moment))
        for mixing in self.learner.meta.mixings:
            mixing.generator.manual_seed(seed)

    def learn(self, batches: Batches) -> list[float]:
        """As many updates as an exercise move has; the loss before each."""
        chosen = islice(batches, self.trainer.settings.exercise_updates)
        return [float(self.learner.exercise(each, self.trainer.clock)["loss"]) for each in chosen]

    def returns(self) -> Tensor:
        """Of the team as it is now, exploring as it does: [EPISODES]."""
        return self._games.run(t_env=self.trainer.t_env, explore=True).returns

    def trial(self, seed: int, prepare: Callable[[], Batches] | None) -> Tried:
        """`prepare` says what is learned from; None: nothing is."""
        self.begin_again(seed)
        losses = self.learn(prepare()) if prepare else []
        return Tried(float(self.returns().mean()), losses)

    def draws_of_z(self) -> tuple[float, float, float]:
        """What `DRAWS` draws of z for one D0 lead to: the deviation of mean returns, that of chance, and p."""
        self.begin_again(0)
        episodes, means, errors = self.fresh(), [], []
        for seed in range(DRAWS):
            self.begin_again(seed)
            self.learn(repeat(self.with_z(episodes)))
            returns = torch.cat([self.returns(), self.returns()])
            means.append(returns.mean())
            errors.append(returns.var() / len(returns))
        between, chance = torch.stack(means).var(), torch.stack(errors).mean()
        return float(between.sqrt()), float(chance.sqrt()), beyond(float(between / chance), DRAWS - 1)

    def close(self) -> None:
        self.experiment.close()


def table(selector: RunSelector) -> Table:
    """Six kinds of updates, and draws of z, from the checkpoint of each run; and the exercise move at half its rate."""
    rows: list[Sequence[str]] = []
    for run in selector.runs:
        if run.config.get("trainer") != TRAINER:
            continue
        if isinstance(run, FolderRun) and run.folder.checkpoint.is_file():
            rows += _rows(run)
        else:
            selector.notes.append(f"{run.name}: no checkpoint is kept")
    if not rows:
        selector.notes.append("no run of MNMPG with a checkpoint: name its folder")
    return Table(HEADINGS, rows, NOTES)


def _rows(run: FolderRun) -> list[Sequence[str]]:
    full, half = Rehearsal(run), Rehearsal(run, rate=0.5)

    def exercise(rehearsal: Rehearsal) -> Batches:
        return repeat(rehearsal.with_z(rehearsal.fresh()))

    kinds: list[tuple[Rehearsal, str, Callable[[], Batches] | None]] = [
        (full, "nothing", None),
        (full, "one D0: the exercise move", lambda: exercise(full)),
        (half, "one D0: the exercise move", lambda: exercise(half)),
        (full, "a D0 for each", lambda: (full.with_z(full.fresh()) for _ in count())),
        (full, "one batch of the memory", lambda: repeat(full.replayed())),
        (full, "a batch of the memory for each", lambda: (full.replayed() for _ in count())),
    ]
    rows = []
    for rehearsal, name, prepare in kinds:
        tried = [rehearsal.trial(seed, prepare) for seed in range(TRIALS)]
        scores = torch.tensor([each.score for each in tried])
        losses = torch.tensor([each.losses for each in tried]).mean(dim=0).tolist()
        found = f"{scores.mean():.2f} ± {scores.std() / math.sqrt(TRIALS):.2f}"
        rows.append(_row(run, rehearsal, name, found, " ".join(f"{each:.3g}" for each in losses)))
    for rehearsal in (full, half):
        spread, chance, p = rehearsal.draws_of_z()
        found = f"deviate by {spread:.3f}, by chance {chance:.3f} (p {p:.2g})"
        rows.append(_row(run, rehearsal, "draws of z", found))
        rehearsal.close()
    return rows


def _row(
    run: FolderRun, rehearsal: Rehearsal, learned_from: str, found: str, losses: str = ""
) -> Sequence[str]:
    steps, rate = f"{rehearsal.trainer.t_env:,}", f"{rehearsal.learning_rate:.3g}"
    return (run.name, steps, rate, learned_from, found, losses)


def beyond(ratio: float, freedom: int) -> float:
    """P(chi squared > ratio x freedom): how often means deviate so much more than chance lets them."""
    half, value = torch.tensor(freedom / 2, dtype=torch.float64), torch.tensor(ratio * freedom / 2).double()
    return float(torch.special.gammaincc(half, value))
