import copy
import dataclasses
import itertools
from types import SimpleNamespace

import pytest
import torch

from cohort.components.replay import Replay
from cohort.components.seeding import generator
from cohort.configuration.plan import Sources, make_plan
from tests.builders import SMALL, make_learner, random_episodes

LENGTH = 10


class StubRunner:
    """Episodes of one fixed length."""

    def __init__(self, batch_size, log):
        self.batch_size, self.log, self.runs = batch_size, log, 0

    def run(self, *, t_env, explore):
        self.log.append(("run", self.batch_size))
        self.runs += 1
        return random_episodes([LENGTH] * self.batch_size, seed=self.runs)

    def exploration(self, t_env):
        return {}

    def state_dict(self):
        return {"runs": self.runs}

    def load_state_dict(self, state):
        self.runs = state["runs"]


def make_trainer(log=None, **typed):
    log = [] if log is None else log
    typed = {"batch_size_run": 1, **typed}
    plan = make_plan(Sources.read("mnmpg", "matrix_games", typed))
    learner = make_learner("mnmpg", **typed)
    for name in ("update", "exercise"):
        setattr(learner, name, logged(log, name, getattr(learner, name)))
    learner.meta.update = logged(log, "meta_update", learner.meta.update)
    replay = Replay(
        plan["memory"].settings,
        unit="episodes",
        extras={},
        spec=dataclasses.replace(SMALL, episode_limit=LENGTH),
        device=torch.device("cpu"),
        generator=generator(1, "replay"),
    )
    games = SimpleNamespace(
        runner=lambda policy, batch, purpose: StubRunner(batch, log),
        test_runner=lambda policy: StubRunner(1, []),
    )
    return plan["trainer"].create(games=games, policy=None, learner=learner, replay=replay)


def logged(log, name, function):
    def call(*given, **named):
        log.append(name)
        return function(*given, **named)

    return call


def one_meta_round(trainer):
    """Plain rounds until the first meta round is done."""
    while not trainer.meta_rounds:
        before = (trainer.t_env, trainer.t_env_true, len(trainer.replay))
        trainer.iterate()
    return before


@pytest.mark.parametrize(
    ("flags", "counted", "kept"),
    [
        ({}, 64 * LENGTH, 64),
        ({"count_all_steps": False}, 8 * LENGTH, 64),
        ({"append_all_meta": False}, 64 * LENGTH, 8),
        ({"count_all_steps": False, "append_all_meta": False}, 8 * LENGTH, 8),
    ],
)
def test_counting_of_steps_and_episodes(flags, counted, kept):
    trainer = make_trainer(**flags)
    t_env, true, stored = one_meta_round(trainer)
    assert trainer.t_env - t_env == LENGTH + counted  # the plain episode of the same round comes on top
    assert trainer.t_env_true - true == LENGTH + 64 * LENGTH
    assert len(trainer.replay) - stored == 1 + kept


def test_authors_count_the_longest_of_each_round():
    trainer = make_trainer(count_all_steps=False, meta_episodes=4, meta_batch_size_run=2)
    trainer.keep_meta(random_episodes([3, 8, 5, 4]))
    assert (trainer.t_env, trainer.t_env_true) == (8 + 5, 20)


def test_first_meta_round_waits_for_a_batch_and_the_interval():
    trainer = make_trainer()
    _, _, stored = one_meta_round(trainer)
    assert stored + 1 == 500 / LENGTH  # 32 episodes would have been 320 steps
    assert trainer.t_meta == trainer.t_env
    late = make_trainer(meta_start=700)
    assert one_meta_round(late)[0] == 690


def test_order_of_operations():
    log = []
    trainer = make_trainer(log, exercise_updates=3, meta_updates=2, ratio_one=False)
    one_meta_round(trainer)
    start = len(log) - 1 - log[::-1].index(("run", 1))
    expected = [("run", 1), ("run", 32), *["exercise"] * 3, ("run", 32), "meta_update", *["update"] * 2]
    assert log[start:] == expected


def test_ratio_one_makes_one_update_per_episode():
    log = []
    trainer = make_trainer(log, ratio_one=True)
    one_meta_round(trainer)
    assert log[log.index("meta_update") :].count("update") == 1 + 64 - 4


@pytest.mark.parametrize("rate", [1.0, 0.25])
def test_updates_per_episode_counts_meta_rounds_and_is_logged_as_it_came_out(rate):
    """What the exercise took beforehand, the plain rounds that follow pay back."""
    trainer = make_trainer(
        updates_per_episode=rate, meta_interval=200, meta_start=400, exercise_updates=20, ratio_one=True
    )
    while not trainer.can_learn:
        trainer.iterate()
    trainer.metrics()
    began = trainer.clock
    while trainer.meta_rounds < 3 or trainer.updates_owed < 0:
        trainer.iterate()
    updates, episodes = trainer.learner.updates - began.updates, trainer.episode - began.episodes
    assert updates == pytest.approx(rate * episodes, abs=2)
    assert trainer.metrics()["updates_per_episode"] == updates / episodes
    assert "updates_per_episode" not in trainer.metrics()  # no episode since


def test_plain_rounds_lie_between_meta_rounds():
    log = []
    trainer = make_trainer(log)
    one_meta_round(trainer)
    log.clear()
    while trainer.meta_rounds < 2:
        trainer.iterate()
    assert (
        log.index("exercise") == 2 * 49 + 2
    )  # 49 episodes with an update each, the 50th opens the meta round


def test_an_interval_from_a_rounds_start_counts_the_rounds_own_steps():
    """D0 and D1 are 640 steps here: 60 are left of 700."""
    trainer = make_trainer(meta_interval=700, meta_interval_from="start")
    one_meta_round(trainer)
    plain = 0
    while trainer.meta_rounds < 2:
        trainer.iterate()
        plain += 1
    assert plain == 6


@pytest.mark.parametrize("ratio_one", [True, False])
def test_targets_are_copied_every_so_many_episodes_also_within_meta_rounds(ratio_one):
    """As closely as a run that plays 8 episodes a round, whatever number of updates closes a meta round."""
    trainer = make_trainer(batch_size_run=8, target_update_interval=200, meta_updates=30, ratio_one=ratio_one)
    copies, follow = [0], trainer.learner.targets.follow

    def watched(clock):
        follow(clock)
        if trainer.learner.targets.last_copy["policy"] != copies[-1]:
            copies.append(trainer.learner.targets.last_copy["policy"])

    trainer.learner.targets.follow = watched
    while trainer.meta_rounds < 12:
        trainer.iterate()
    gaps = [later - before for before, later in itertools.pairwise(copies)]
    assert len(gaps) > 5
    assert all(200 <= gap <= 208 for gap in gaps)


def test_closing_updates_end_at_the_moment_that_the_trainer_has_come_to():
    trainer, clocks = make_trainer(), []
    update = trainer.learner.update
    trainer.learner.update = lambda batch, clock: clocks.append(clock) or update(batch, clock)
    one_meta_round(trainer)
    closing = clocks[-61:]
    assert closing[-1][:2] == (trainer.t_env, trainer.episode)
    steps, episodes, _ = zip(*closing, strict=True)
    assert list(steps) == sorted(steps)
    assert set(range(trainer.episode - 63, trainer.episode + 1)) >= set(episodes)
    assert len(set(episodes)) == 61


def test_state_continues():
    torch.manual_seed(0)
    first = make_trainer(batch_size_run=8)
    for _ in range(8):
        first.iterate()
    second = make_trainer(batch_size_run=8)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for trainer in (first, second):
        for _ in range(8):
            trainer.iterate()
    assert first.meta_rounds > 1
    assert first.metrics() == second.metrics()
