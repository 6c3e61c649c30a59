"""`python -m benchmarks.vmas`: environment steps per second of `--env-config=vmas` beside VMAS's own.

Both take the same random actions, drawn beforehand, in episodes of the same length, `reset` included.
One torch thread, CPU seconds of this process, in turns.
"""

import argparse
import time
import warnings

import torch
import vmas

from benchmarks.timing import in_turns, ratio
from cohort.components.process import prepare_process
from cohort.envs.vmas.env import Vmas, VmasSettings

SCENARIOS = ("balance", "navigation", "transport", "football", "simple_world_comm")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenarios", nargs="+", default=SCENARIOS)
    parser.add_argument("--games", type=int, default=256)
    parser.add_argument("--steps", type=int, default=50, help="steps of an episode")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    prepare_process(1)
    warnings.filterwarnings("ignore")  # VMAS's own, of arguments that scenarios do not take
    for scenario in options.scenarios:
        for continuous in (False, True):
            compare(scenario, continuous, options)


def compare(scenario: str, continuous: bool, options: argparse.Namespace) -> None:
    """Print one line: this project's steps per second, VMAS's, and how many times as many ours are."""
    settings = VmasSettings(
        scenario=scenario, continuous_actions=continuous, episode_limit=options.steps, common_reward=False
    )
    env = Vmas(settings, batch_size=options.games, seed=1)
    theirs = vmas.make_env(
        scenario, num_envs=options.games, continuous_actions=continuous, max_steps=options.steps, seed=1
    )
    draw = torch.Generator().manual_seed(0)
    actions = [_random_actions(env, draw) for _ in range(options.steps)]
    own_actions = [env.for_vmas(each) for each in actions]

    def play() -> None:
        env.reset()
        for each in actions:
            env.step(each)

    def play_theirs() -> None:
        theirs.reset()
        with torch.no_grad():
            for each in own_actions:
                theirs.step(list(each))

    jobs = {"ours": play, "theirs": play_theirs}
    times = in_turns(jobs, rounds=options.rounds, seconds=0, clock=time.process_time)
    played = options.games * options.steps
    print(
        f"{scenario:20} {'continuous' if continuous else 'discrete':10} "
        f"{times['ours'].rate(played):10,.0f} beside {times['theirs'].rate(played):10,.0f} steps/s, "
        f"{ratio(times['theirs'], times['ours'])} times",
        flush=True,
    )


def _random_actions(env: Vmas, generator: torch.Generator) -> torch.Tensor:
    available = env.reset().available_actions
    if env.spec.action_dim:
        shape = (*available.shape[:2], env.spec.action_dim)
        return 2 * torch.rand(shape, generator=generator) - 1
    return torch.rand(available.shape, generator=generator).masked_fill(~available, -1.0).argmax(-1)


if __name__ == "__main__":
    main()
