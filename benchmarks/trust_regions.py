"""What an update costs MAMD and MAMT beside MAAC: `python -m benchmarks.trust_regions`.

For teams of the sizes of MAMT's four games: CPU milliseconds of an update from 1,024 random transitions, measured in
turns within one run on one thread, and how many times MAAC's that is. `--games`, `--methods` and `--rounds` make it
shorter.
"""

import argparse
import time

import torch

from benchmarks.timing import in_turns, ratio
from cohort.assembly import build_learner
from cohort.components.clock import Clock
from cohort.components.process import prepare_process
from cohort.components.transitions import Transitions
from cohort.configuration.plan import Sources, make_plan
from cohort.envs.base import EnvSpec
from cohort.learners.base import Learner

GAMES = {  # agents, actions, observation
    "spread": (2, 5, 12),
    "multiwalker": (3, 16, 31),
    "rover_tower": (8, 5, 13),
    "pursuit": (8, 5, 147),
}
BASELINE = "maac"
METHODS = ("mamd", "mamt", "mamt_random", "mamt_fixed", "mamt_ws")
STEPS = 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--games", nargs="+", choices=GAMES, default=list(GAMES), metavar="GAME")
    parser.add_argument("--methods", nargs="+", default=METHODS, metavar="METHOD")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    prepare_process(1)
    for game in options.games:
        measure(game, options.methods, options.rounds)


def measure(game: str, methods: list[str], rounds: int) -> None:
    """One table."""
    agents, actions, seen = GAMES[game]
    spec = EnvSpec(
        n_agents=agents, n_actions=actions, obs_dim=seen, state_dim=1, episode_limit=25, common_reward=False
    )
    batch, clock = random_steps(spec), Clock()
    learners = {name: ready(name, spec) for name in (BASELINE, *methods)}
    jobs = {name: lambda learner=learner: learner.update(batch, clock) for name, learner in learners.items()}
    times = in_turns(jobs, rounds=rounds, clock=time.process_time)
    print(f"\n{game}: {agents} agents, {actions} actions, {seen} numbers seen")
    for name, each in times.items():
        against = ratio(each, times[BASELINE])
        print(f"{name:<14}{1e3 * each.median:>8.1f} ms {each.spread:>14}  {against} of {BASELINE}")


def ready(config: str, spec: EnvSpec) -> Learner:
    plan = make_plan(Sources.read(config, "matrix_games", {"use_cuda": False}))
    return build_learner(plan, spec, torch.device("cpu"))[1]


def random_steps(spec: EnvSpec) -> Transitions:
    draw = torch.Generator().manual_seed(0)
    agents = (STEPS, spec.n_agents)
    available = torch.ones(*agents, spec.n_actions, dtype=torch.bool)
    obs, after = (torch.randn(*agents, spec.obs_dim, generator=draw) for _ in range(2))
    state, over = torch.zeros(STEPS, 1), torch.zeros(STEPS, dtype=torch.bool)
    return Transitions(
        obs=obs,
        next_obs=after,
        state=state,
        next_state=state,
        available_actions=available,
        next_available_actions=available,
        actions=torch.randint(spec.n_actions, agents, generator=draw),
        reward=torch.randn(agents, generator=draw),
        terminated=over,
        truncated=over,
    )


if __name__ == "__main__":
    main()
