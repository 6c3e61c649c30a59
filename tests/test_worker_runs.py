"""Whole runs on games in worker processes: rounds, spoiled episodes, counts on record, resuming, nothing left."""

import json
from contextlib import suppress

import numpy as np
import psutil
import pytest
import torch
from pydantic import Field

from cohort.cli import main
from cohort.configuration.plan import Sources, make_plan
from cohort.envs.workers.env import WorkerEnv
from cohort.envs.workers.game import GameLost, GameStep, Limits, Recipe
from cohort.experiment import Experiment
from cohort.policy import load_policy
from cohort.settings import Settings
from tests import harness
from tests.envs.workers.games import Script, Walk

FILE = """env: tests.test_worker_runs:Walks
env_args:
  spoil_every: {spoil_every}
"""


class WalksSettings(Settings):
    spoil_every: int = Field(0, ge=0, description="every so manieth episode of a game breaks off; 0 for none")


class SpoilingWalk(Walk):
    """Breaks off as told, whatever the team does, and says so in the reward before."""

    def __init__(self, spoil_every: int) -> None:
        super().__init__(Script())
        self.spoil_every, self.episodes = spoil_every, 0

    def reset(self, seed: int):
        self.episodes += 1
        return super().reset(seed)

    def step(self, actions: np.ndarray) -> GameStep:
        spoils = self.spoil_every and self.episodes % self.spoil_every == 0
        if spoils and self.t == 2:
            raise GameLost("as told")
        played = super().step(np.zeros_like(actions))
        return played._replace(reward=666.0) if spoils else played


class Walks(WorkerEnv):
    Settings = WalksSettings

    def __init__(self, settings: WalksSettings, *, batch_size: int, seed: int, device="cpu") -> None:
        recipe = Recipe("tests.test_worker_runs:SpoilingWalk", settings.spoil_every)
        super().__init__(recipe, batch_size=batch_size, seed=seed, device=device, limits=Limits(pause=0.0))


@pytest.fixture
def env_file(tmp_path):
    def write(spoil_every: int):
        path = tmp_path / "walks.yaml"
        path.write_text(FILE.format(spoil_every=spoil_every))
        return path

    return write


def children() -> set[int]:
    """Processes of ours that run."""
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE:
                found.add(child.pid)
    return found


def build(algorithm: str, file, text: str = "") -> Experiment:
    typed = harness.words(algorithm, "", text)[3:]
    return Experiment(
        make_plan(Sources.read(algorithm, str(file), harness.parse_updates(typed))), lambda line: None
    )


def test_evaluation_plays_rounds_on_the_games_of_training(env_file):
    subject = build("qmix", env_file(0), "test_nepisode=5")
    try:
        before = children()
        assert len(before) >= 2
        subject.evaluate()
        subject.trainer.iterate()
        assert children() == before
        assert subject.trainer.test_runner.run(t_env=0, explore=False).batch_size == 5
        assert subject.trainer.latest.batch_size == 2
    finally:
        subject.close()


@pytest.mark.parametrize("algorithm", ["qmix", "mnmpg"])
def test_spoiled_episodes_are_counted_and_never_learned_from(env_file, algorithm):
    subject = build(algorithm, env_file(3))
    try:
        for _ in range(12):
            subject.trainer.iterate()
            subject.evaluate()
        rewards = torch.cat(subject.trainer.replay.state_dict()["rows"]["reward"])
        assert len(rewards) > 0
        assert float(rewards.max()) < 600
        assert subject.trainer.worker_metrics()["spoiled_episodes"] > 4
        assert subject.trainer.episode % 2 == 0  # every round brings what it should
        lengths = subject.trainer.replay.sample(4).length
        assert torch.equal(lengths, torch.full((4,), 5))
    finally:
        subject.close()


def test_a_whole_run_leaves_its_counts_on_record_and_nothing_running(env_file, tmp_path):
    before = children()  # other tests share a database server
    words = harness.words(
        "qmix", str(env_file(3)), f"t_max=60 log_interval=20 local_results_path={tmp_path}/results"
    )
    assert main(words) == 0
    folder = harness.only_run(tmp_path / "results")
    lines = harness.metrics(folder)
    last = {name: value for line in lines for name, value in line["metrics"].items()}
    assert last["spoiled_episodes"] >= 1
    assert last["game_restarts"] >= last["spoiled_episodes"]
    (session,) = json.loads((folder / "provenance.json").read_text())["sessions"]
    assert session["environment"]["version"] == 7
    assert children() <= before
    policy = load_policy(folder)
    with policy.make_env(games=3) as env:
        assert policy.play(env, episodes=4).length.tolist() == [5, 5, 5, 5]


def test_the_seeds_of_episodes_go_on_where_a_checkpoint_was(env_file):
    one = build("vdn", env_file(0))
    other = build("vdn", env_file(0))
    try:
        for _ in range(3):
            one.trainer.iterate()
            one.evaluate()
        other.load_state_dict(one.state_dict())
        for subject in (one, other):
            subject.trainer.iterate()
        assert torch.equal(one.trainer.latest.obs, other.trainer.latest.obs)
        assert one.evaluate() == other.evaluate()
    finally:
        one.close()
        other.close()
