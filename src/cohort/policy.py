"""A trained team, loaded from a run's folder, for code of one's own.

policy = load_policy("results/my_run")
env = policy.make_env(games=8)
observation, memory = env.reset(), policy.begin(games=8)
actions, memory = policy.act(observation, memory)
transition = env.step(actions)
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cohort.assembly import load_team
from cohort.components.episodes import Episodes
from cohort.components.seeding import derive_seed, generator
from cohort.configuration.plan import Plan, Sources, make_plan
from cohort.controllers.team_policy import Memory, TeamPolicy
from cohort.envs.base import MultiAgentEnv, Observation
from cohort.errors import UserError
from cohort.recording.folder import open_run_folder
from cohort.recording.models import load_learner
from cohort.runners.in_process import InProcessRunner
from cohort.settings import NoSettings


@dataclass(frozen=True)
class Policy:
    """The policy of one moment of a run, as it is tested: greedily, but with `test_greedy: False`.

    Attributes:
        plan: the run's configuration.
        team: its networks.
        step: environment steps it was trained for.
        generator: what it draws from, where it is not greedy.
    """

    plan: Plan
    team: TeamPolicy
    step: int
    generator: torch.Generator

    def make_env(self, games: int = 1, seed: int = 0) -> MultiAgentEnv:
        """The environment of the run, with games of its own."""
        return make_env(self.plan, games, seed)

    def begin(self, games: int) -> Memory:
        """What the team remembers before the first step of an episode."""
        return self.team.initial_memory(games)

    def act(self, observation: Observation, memory: Memory) -> tuple[Tensor, Memory]:
        """Actions [B, N], and what the team remembers of this step."""
        actions, memory, _ = self.team.act(observation, memory, self.step, self.generator, explore=False)
        return actions, memory

    def play(self, env: MultiAgentEnv, episodes: int, watch=None) -> Episodes:
        """Whole episodes. `watch` is called at the start and after every step."""
        runner = InProcessRunner(
            NoSettings(), env=env, policy=self.team, generator=self.generator, episodes=episodes
        )
        return runner.run(t_env=self.step, explore=False, watch=watch)


def make_env(plan: Plan, games: int, seed: int) -> MultiAgentEnv:
    """The environment of a run's configuration on the CPU."""
    return plan["env"].create(
        batch_size=games, seed=derive_seed(seed, "games/policy"), device=torch.device("cpu")
    )


def load_policy(run: str | Path, load_step: int = 0, *, best: bool = False) -> Policy:
    """The policy that a run has come to, on the CPU.

    Args:
        run: the run's folder.
        load_step: environment steps: the saved model nearest to it; 0 is the last one, or else the checkpoint.
        best: the model that `save_best` kept, instead.

    Raises:
        UserError: there is no such run, nothing saved in it, or it taught no team.
    """
    folder = open_run_folder(Path(run))
    if best and load_step:
        raise UserError("the best model is of a step of its own: leave out the other.")
    state, step, _ = load_learner(folder.best if best else folder.root, load_step)
    plan = make_plan(Sources.of_run(folder.config, {}))
    if "mac" not in plan.components:
        raise UserError(f"{folder.root} taught a {plan['trainer'].cls.subject}, and this plays teams.")
    env = make_env(plan, games=1, seed=0)
    getattr(env, "close", lambda: None)()
    team = load_team(plan, state, env.spec, torch.device("cpu"))
    return Policy(plan, team, step, generator(plan.run.seed, "exploration/policy"))
