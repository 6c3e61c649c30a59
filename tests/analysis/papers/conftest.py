"""Runs of a paper's arms, as their command would leave them."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from src.analysis.folders import FolderRun
from src.configuration.plan import Sources

EPISODES = 100  # between two logged values
STEPS = 10  # of an episode


@pytest.fixture
def write_arm(write_run: Callable[..., FolderRun]) -> Callable[..., FolderRun]:
    """Writes a run of a method in a scenario: a reward per step for each 100 episodes and updates."""

    def write(
        config: str,
        world: str,
        seed: int,
        rewards: Sequence[float],
        *,
        logged: Mapping[str, Sequence[float]] | None = None,
        status: Mapping[str, object] | None = None,
        **typed: object,
    ) -> FolderRun:
        whole = Sources.read(config, world, typed).merged() | {
            "seed": seed,
            "t_max": 4 * EPISODES * len(rewards),
        }
        points = [
            (
                4
                * EPISODES
                * (place + 1),  # `write_run` counts an episode and an update for every four steps
                {"return_mean": STEPS * reward, "ep_length_mean": STEPS}
                | {name: values[place] for name, values in (logged or {}).items()},
            )
            for place, reward in enumerate(rewards)
        ]
        suffix = "".join([f"_{world}", *(f"_{key}{value}" for key, value in typed.items())])
        args = whole.pop("env_args")
        return write_run(config, seed, points, config=whole, env_args=args, status=status, suffix=suffix)

    return write
