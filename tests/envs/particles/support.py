"""Particle worlds as their YAML files make them, and on hand-placed scenes."""

from typing import Any

import torch

from cohort.configuration import files
from cohort.envs import ENVS
from cohort.envs.particles.env import ParticleEnv

PUSHED = ("spread", "spread3_mix", "rover_tower")  # discrete actions
SCENARIOS = ("going_together", "cooperative_navigation", "predator_prey", "clustering")


def arguments(scenario: str, **changed: Any) -> dict[str, Any]:
    """`env_args` of a scenario's YAML file, with some of them changed."""
    given = files.read(files.find("--env-config", scenario))["env_args"]
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()} | changed


def make(scenario: str, batch_size: int = 1, seed: int = 1, **changed: Any) -> ParticleEnv:
    cls = ENVS.load(files.read(files.find("--env-config", scenario))["env"])
    return cls(cls.Settings(**arguments(scenario, **changed)), batch_size=batch_size, seed=seed)


def put(env: ParticleEnv, t: int = 0, **fields: Any) -> ParticleEnv:
    """Place the entities of an environment: lists or tensors [E, 2] (for one game) or [B, E, 2]."""
    state = env.state_dict()
    for name, places in fields.items():
        places = torch.as_tensor(places, dtype=torch.float32)
        state[name] = places.view(env.batch_size, -1, 2)
    env.load_state_dict(state | {"begun": True, "t": t})
    return env


def still(env: ParticleEnv) -> torch.Tensor:
    """The action of standing still."""
    return torch.zeros(env.batch_size, env.spec.n_agents, 2)


def random_actions(env: ParticleEnv, steps: int, seed: int = 0) -> torch.Tensor:
    """[steps, B, N, 2], or [steps, B, N] where actions are discrete."""
    generator, everybody = torch.Generator().manual_seed(seed), (steps, env.batch_size, env.spec.n_agents)
    if env.spec.n_actions:
        return torch.randint(env.spec.n_actions, everybody, generator=generator)
    return 2 * torch.rand((*everybody, 2), generator=generator) - 1


def assert_same_alone(games: ParticleEnv, alone: list[ParticleEnv], *, obs_atol: float) -> None:
    """Games that have begun, side by side and each alone from the same scene, see and pay the same for 25 steps."""
    for actions in random_actions(games, 25):
        together = games.step(actions)
        for i, env in enumerate(alone):
            own = env.step(actions[i : i + 1])
            torch.testing.assert_close(
                own.observation.obs[0], together.observation.obs[i], atol=obs_atol, rtol=0
            )
            torch.testing.assert_close(own.reward[0], together.reward[i], atol=1e-5, rtol=1e-6)


def assert_goes_on_restored(name: str) -> None:
    """A game of discrete actions that is saved after 7 steps goes on the same elsewhere, past its end and anew."""
    env = make(name, batch_size=5)
    env.reset()
    first, later = random_actions(env, 30).split((7, 23))
    for actions in first:
        env.step(actions)
    state, other = env.state_dict(), make(name, batch_size=5, seed=99)
    other.load_state_dict(state)
    for actions in later:
        ours, restored = env.step(actions), other.step(actions)
        assert torch.equal(ours.reward, restored.reward)
        assert torch.equal(ours.observation.obs, restored.observation.obs)
    assert torch.equal(env.reset().obs, other.reset().obs)
