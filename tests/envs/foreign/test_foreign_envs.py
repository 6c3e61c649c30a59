"""Environments of other libraries as a run sees them: worker processes, messages, pictures, whole runs."""

import contextlib
import os
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from cohort.cli import main
from cohort.configuration.plan import Sources, make_plan
from cohort.envs import ENVS
from cohort.envs.foreign import env as foreign
from cohort.envs.workers.env import WorkerEnv
from cohort.envs.workers.pool import GameFailure
from cohort.errors import UserError
from cohort.recording.replay import Replay
from cohort.watch import main as watch
from tests import harness
from tests.envs.foreign.support import needs
from tests.envs.test_contract import choose, play

SHRINKING = "tests.envs.foreign.parallel_teams:shrinking"
GATHER = "tests.envs.foreign.gymnasium_teams:Gather-v0"


def build(name: str, batch_size: int = 1, **arguments):
    needs("pettingzoo")
    cls = ENVS.load(name)
    return cls(cls.Settings(**arguments), batch_size=batch_size, seed=1)


def reacher(**changes):
    needs("gymnasium_robotics")
    return build("mamujoco", **{"scenario": "Reacher", "agent_conf": "2x1", "time_limit": 4} | changes)


def test_workers_import_no_torch():
    with build("pettingzoo", key=SHRINKING, time_limit=9):
        (worker,) = workers()
        maps = Path(f"/proc/{worker.pid}/maps")
        if not maps.exists():
            pytest.skip("no /proc here")
        assert "torch" not in maps.read_text()


def workers() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # also what has ended and nobody has asked how
            found += [child] if "cohort.envs.workers.worker" in " ".join(child.cmdline()) else []
    return found


@pytest.mark.parametrize(
    ("name", "arguments", "package", "file"),
    [
        ("pettingzoo", {"key": "mpe2.simple_v3"}, "pettingzoo", "requirements/pettingzoo.txt"),
        ("gymnasium", {"key": "x:Y-v0"}, "gymnasium", "requirements/pettingzoo.txt"),
        (
            "multiwalker",
            {"n_walkers": 3, "discrete_actions": True, "action_step": 0.2},
            "Box2D",
            "requirements/sisl.txt",
        ),
        ("mamujoco", {"scenario": "Ant", "agent_conf": "2x4"}, "mujoco", "requirements/mujoco.txt"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch, name, arguments, package, file
):
    missing_from_here_on(monkeypatch, package)
    cls = ENVS.load(name)
    with pytest.raises(UserError, match=f"package {package}(.|\n)*pip install -r {file}"):
        cls(cls.Settings(**arguments), batch_size=1, seed=1)
    assert (harness.ROOT / file).is_file()


def missing_from_here_on(monkeypatch, package: str) -> None:
    monkeypatch.setattr(
        foreign.importlib.util, "find_spec", lambda name: None if name == package else object()
    )


@pytest.mark.parametrize("name", ["pettingzoo", "gymnasium"])
def test_a_key_of_a_package_that_is_not_here_is_refused(name):
    key = "no_such_package.games" + (":Game-v0" if name == "gymnasium" else "")
    with pytest.raises(UserError, match="no Python package no_such_package"):
        build(name, key=key)


def test_settings_can_be_typed_and_read_back(tmp_path):
    typed = (
        "env_args.scenario=Ant env_args.agent_conf=2x4 env_args.global_categories=['qpos'] env_args.agent_obsk=2 "
        "env_args.local_categories=[['qpos','qvel'],['qpos'],[]] env_args.kwargs.healthy_reward=0.5"
    )
    plan = harness.plan("iql", "mamujoco", typed)
    settings = plan["env"].settings
    assert settings.global_categories == ("qpos",)
    assert settings.local_categories == (("qpos", "qvel"), ("qpos",), ())
    assert settings.kwargs == {"healthy_reward": 0.5}
    (tmp_path / "config.yaml").write_text(plan.text())
    assert make_plan(Sources.of_run(tmp_path / "config.yaml", {}))["env"].settings == settings


@pytest.mark.parametrize("key", ["mpe2/simple", "", "mpe2.simple:", "a b"])
def test_a_key_that_names_no_module_is_refused(key):
    with pytest.raises(ValueError, match=r"must be package\.module"):
        foreign.PettingZoo.Settings(key=key)


def test_what_an_environment_does_not_take_is_quoted():
    with pytest.raises(GameFailure, match="unexpected keyword argument 'colour'"):
        build("pettingzoo", key=SHRINKING, time_limit=9, kwargs={"colour": "red"})


def test_a_robots_agents_share_its_reward_and_its_limit_cuts():
    with reacher(batch_size=2, info_keys=("reward_dist",)) as env:
        spec = env.spec
        assert (spec.n_agents, spec.n_actions, spec.action_dim, spec.episode_limit) == (2, 0, 1, 4)
        assert spec.common_reward
        seen = play(env, 4)
        assert all(transition.reward.shape == (2,) for transition in seen)
        assert seen[-1].truncated.all()
        assert not seen[-1].terminated.any()
        assert torch.isfinite(seen[-1].info["reward_dist"]).all()
        assert (seen[-1].info["reward_dist"] < 0).all()


def test_a_robots_reward_does_not_grow_with_its_agents():
    """The same motion of the same robot, moved by two agents and by one."""
    seen = []
    for agent_conf in ("2x1", None):
        with reacher(agent_conf=agent_conf) as env:
            env.reset()
            seen.append(env.step(torch.full((1, env.spec.n_agents, env.spec.action_dim), 0.5)))
    two, one = seen
    assert torch.equal(two.reward, one.reward)
    assert torch.equal(two.observation.state, one.observation.state)


def test_what_agents_observe_of_a_robot_can_be_chosen():
    needs("gymnasium_robotics")
    sizes = []
    for changes in ({}, {"agent_obsk": 0}, {"global_categories": ("qpos",)}):
        with build("mamujoco", scenario="HalfCheetah", agent_conf="2x3", **changes) as env:
            sizes.append((env.spec.obs_dim, env.spec.state_dim, env.spec.episode_limit))
    assert [size[1:] for size in sizes] == [(17, 1000)] * 3
    assert sizes[0][0] > sizes[1][0]
    assert sizes[0][0] > sizes[2][0]


@pytest.mark.parametrize(
    ("name", "arguments", "shape", "fps"),
    [
        ("pettingzoo", {"key": SHRINKING, "time_limit": 9}, (8, 16, 3), 7),
        ("gymnasium", {"key": GATHER, "time_limit": 5, "kwargs": {"size": 100}}, (4, 6, 3), 5),
    ],
)
def test_games_are_drawn_from_their_start_to_their_end(name, arguments, shape, fps):
    with build(name, batch_size=2, **arguments) as env:
        renderer = env.renderer(None)
        assert renderer.fps == fps
        generator = torch.Generator().manual_seed(0)
        observation, pictures = env.reset(), [renderer.frames()]
        for _ in range(7):
            observation = env.step(choose(observation.available_actions, generator)).observation
            pictures.append(renderer.frames())
    assert [len(each) for each in pictures] == [1] * 6 + [0] * 2
    assert all(frame.shape == shape and frame.dtype == np.uint8 for each in pictures for frame in each)
    if name == "pettingzoo":
        assert [each[0].max() for each in pictures[:6]] == list(range(6))


def test_a_game_that_cannot_be_drawn_says_why(tmp_path):
    with build("pettingzoo", key="tests.envs.foreign.parallel_teams:invisible", time_limit=9) as env:
        with pytest.raises(
            UserError, match=r"cannot be drawn: (.|\n)*unexpected keyword argument 'render_mode'"
        ):
            Replay(env, tmp_path / "film.mp4")
        with pytest.raises(UserError, match="as one agent sees it"):
            Replay(env, tmp_path / "film.mp4", agent=0)
        play(env, 9)  # it can still be played


def test_a_whole_run_survives_its_workers_and_can_be_watched(tmp_path, monkeypatch):
    """One worker is killed from outside in the middle of the first training episode."""
    needs("pettingzoo")
    results, steps = tmp_path / "results", []

    def step(env, actions):
        steps.append(actions)
        if len(steps) == 5 + 3:  # an evaluation comes before
            os.kill(workers()[0].pid, signal.SIGKILL)
        return WorkerEnv.step(env, actions)

    monkeypatch.setattr(foreign.PettingZoo, "step", step, raising=False)
    text = f"env_args.key={SHRINKING} env_args.time_limit=9 t_max=20 log_interval=10 test_interval=20"
    text += f" save_model=True local_results_path={results}"
    assert main(harness.words("qmix", "pettingzoo", text)) == 0
    folder = harness.only_run(results)
    last = {name: value for line in harness.metrics(folder) for name, value in line["metrics"].items()}
    assert (last["spoiled_episodes"], last["game_restarts"]) == (1, 1)
    assert last["ep_length_mean"] == 5
    assert not workers()
    film = tmp_path / "film.gif"
    assert watch([str(folder), "--format", "gif", "--out", str(film)]) == 0
    assert film.stat().st_size > 100
    assert not workers()
