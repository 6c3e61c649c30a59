"""What the tests of whole runs share: small configurations, and reading what a run left."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cohort.configuration.plan import Plan, Sources, make_plan
from cohort.configuration.updates import parse_updates
from cohort.envs.base import EnvSpec
from cohort.experiment import Experiment

ROOT = Path(__file__).resolve().parents[1]
META_MIXING = ("mnmpg", "mnmpg_1_rode", "mnmpg_2_rode")
ROLES = ("rode", "mnmpg_1_rode", "mnmpg_2_rode")
VALUE_BASED = ("iql", "vdn", "qmix", "ow_qmix", "cw_qmix", "qmix_large", "rode", "mnmpg", "mnmpg_2_rode")
CONTINUOUS = (
    *("maddpg_fixed_lr", "maddpg_adagrad", "adama", "adama_2nd"),
    *("adama_direction", "adama_direction_2nd", "adama_magnitude"),
)
TRUSTING = ("mamd", "mamd_op", "mamt", "mamt_random", "mamt_fixed", "mamt_ws", "mamt_ppo")
ATTENTIVE = ("maac", "adama_maac", *TRUSTING)
REPLAYED_ACTORS = ("maddpg", "lola_dqn")
ON_POLICY = ("mappo", "mappo_attention", "ippo", "coma", "vdac", "lica")
FACTORED = ("facmac", "fop", "dop", "ader", "ader_single_critic")
FACTORED_CONTINUOUS = ("facmac_continuous",)
ALGORITHMS = (
    *(*VALUE_BASED, *CONTINUOUS, *ATTENTIVE, *REPLAYED_ACTORS, *ON_POLICY),
    *(*FACTORED, *FACTORED_CONTINUOUS),
)
# which environments the tests of whole runs play with which algorithms
PAIRS = [
    *itertools.product(VALUE_BASED, ("matrix_games", "sc2_sim")),
    ("mnmpg_1_rode", "matrix_games"),
    *itertools.product(CONTINUOUS, ("going_together",)),
    ("adama", "predator_prey"),
    ("maac", "spread"),
    ("maac", "rover_tower"),
    *itertools.product((*ATTENTIVE, *ON_POLICY), ("matrix_games", "sc2_sim")),
    ("maddpg", "sc2_sim"),
    *itertools.product(REPLAYED_ACTORS, ("matrix_games",)),
    ("mappo", "going_together"),
    ("maac", "pursuit"),
    *itertools.product(FACTORED, ("matrix_games", "sc2_sim")),
    *itertools.product(FACTORED_CONTINUOUS, ("going_together",)),
    *itertools.product(("ader",), ("continuous_matrix_game", "h_predator_prey")),
]
GAMES_OF_A_STEP = ("matrix_games", "continuous_matrix_game")  # or two
# small enough for a second, large enough that updates, target syncs and meta rounds happen
TINY_RUN = "use_cuda=False test_nepisode=2 batch_size_run=2"
TINY = f"{TINY_RUN} batch_size=4"
TINY_EPISODES = "rnn_hidden_dim=8 buffer_size=16 target_update_interval=4"
TINY_TRANSITIONS = (
    "agent_hidden_dims=[8] critic_hidden_dims=[8] buffer_size=64 "
    "target_update_interval=4 epsilon_anneal_time=100"
)
TINY_FACTORED = f"{TINY_EPISODES} critic_hidden_dims=[8]"
TINY_FACTORED_CONTINUOUS = "agent_hidden_dims=[8] critic_hidden_dims=[8] buffer_size=64 random_steps=20"
TINY_ATTENTION = "agent_hidden_dims=[8] critic_hidden_dim=8 attention_heads=2 buffer_size=64"
TINY_REPLAYED = "agent_hidden_dims=[8] critic_hidden_dims=[8] buffer_size=64 updates_per_step=0.25"
TINY_ON_POLICY = {
    "mappo_attention": "agent_hidden_dims=[8] critic_hidden_dim=8 attention_heads=2",
    "vdac": "rnn_hidden_dim=8",
    "coma": "rnn_hidden_dim=8 critic_hidden_dim=8 target_update_updates=1",
    "lica": "rnn_hidden_dim=8 critic_hidden_dim=8 target_update_updates=1",
}
TINY_DOP = (
    "rnn_hidden_dim=8 critic_hidden_dims=[8] buffer_size=16 recent_batch_size=2 recent_size=3 "
    "critic_updates=3 target_update_updates=2 updates_per_episode=1"
)
TINY_META = (
    "meta_start=0 meta_interval=1 meta_episodes=4 meta_batch_size_run=2 exercise_updates=1 meta_updates=1"
)


def words(algorithm: str, env: str, text: str = "") -> list[str]:
    """A command line for a tiny run."""
    kind = f"{TINY} {TINY_EPISODES}"
    if algorithm in CONTINUOUS:
        kind = f"{TINY} {TINY_TRANSITIONS}"
    elif algorithm == "mamt_ppo":
        kind = f"{TINY_RUN} {TINY_ATTENTION.replace('buffer_size=64', 'epochs=3')}"
    elif algorithm in ATTENTIVE:
        kind = f"{TINY} {TINY_ATTENTION}"
    elif algorithm in REPLAYED_ACTORS:
        kind = f"{TINY} {TINY_REPLAYED}"
    elif (algorithm, env) == ("ader", "continuous_matrix_game"):
        kind = f"{TINY} agent_hidden_dims=[8] critic_hidden_dims=[8] buffer_size=64"
    elif algorithm in FACTORED:
        kind = f"{TINY} {TINY_DOP if algorithm == 'dop' else TINY_FACTORED}"
    elif algorithm in FACTORED_CONTINUOUS:
        kind = f"{TINY} {TINY_FACTORED_CONTINUOUS}"
    elif algorithm in ON_POLICY:
        kind = f"{TINY_RUN} {TINY_ON_POLICY.get(algorithm, 'rnn_hidden_dim=8 critic_hidden_dim=8')}"
    if (algorithm, env) == ("mappo", "going_together"):
        kind += " head=squashed_gaussian"
    if env == "pursuit":
        kind += " env_args.episode_limit=20"
    meta = TINY_META if algorithm in META_MIXING else ""
    if algorithm in ROLES:  # roles are formed within the run, between the stops of tests that resume it
        kind += f" role_action_spaces_update_start={10 if env in GAMES_OF_A_STEP else 120}"
    return [f"--config={algorithm}", f"--env-config={env}", "with", *f"{kind} {meta} {text}".split()]


def plan(algorithm: str, env: str, text: str = "") -> Plan:
    return make_plan(Sources.read(algorithm, env, parse_updates(words(algorithm, env, text)[3:])))


def experiment(algorithm: str, env: str, text: str = "") -> Experiment:
    return Experiment(plan(algorithm, env, text), lambda line: None)


class FakeRecorder:
    """Keeps what `Experiment` logs, as tuples (t_env, updates, episode, metrics)."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, int, int, dict[str, float]]] = []
        self.ticks: list[int] = []
        self.diverged = False

    def log(self, t_env: int, updates: int, episode: int, metrics: Mapping[str, float]) -> None:
        self.lines.append((t_env, updates, episode, dict(metrics)))

    def tick(self, t_env: int, updates: int, episode: int) -> None:
        self.ticks.append(t_env)

    def tell_of_divergence(self, what: str, t_env: int) -> None:
        self.diverged = True

    def state_dict(self) -> dict[str, Any]:
        return {}

    def of(self, name: str) -> list[tuple[int, float]]:
        """One metric's (t_env, value) pairs."""
        return [(t_env, metrics[name]) for t_env, _, _, metrics in self.lines if name in metrics]


def train(subject: Experiment, folder: Any, stop: Any = None) -> FakeRecorder:
    recorder = FakeRecorder()
    subject.train(recorder, folder, stop or SimpleNamespace(requested=False))
    return recorder


def run_py(*arguments: str, check: bool = False, **options: Any) -> subprocess.CompletedProcess[str]:
    """`python run.py ...` as a person would, to its end."""
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *arguments],
        capture_output=True, text=True, timeout=120, check=check, cwd=ROOT, env=os.environ | {"COLUMNS": "120"},
        **options,
    )  # fmt: skip


def only_run(results: Path) -> Path:
    (folder,) = results.iterdir()
    return folder


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without the one field that differs between equal runs."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        assert line.pop("wall_time") >= 0
    return lines


def spec(**changes: Any) -> EnvSpec:
    sizes = {"n_agents": 2, "n_actions": 3, "obs_dim": 4, "state_dim": 5, "episode_limit": 6}
    return EnvSpec(**(sizes | changes))
