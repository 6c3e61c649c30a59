"""Where `teams`, a run's sides, become objects: a learner for each side that learns, and who plays the others."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import torch

from cohort.components.seeding import derive_seed
from cohort.components.sides import Side
from cohort.configuration.plan import Plan, Sources, make_plan
from cohort.configuration.task import task_name
from cohort.configuration.teams import SideSettings, members
from cohort.controllers.sides_policy import Guest, Opponent, Player, SidesPolicy
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.errors import UserError
from cohort.learners.base import Learner
from cohort.learners.sides_learner import SidesLearner
from cohort.recording.folder import open_run_folder
from cohort.recording.models import load_learner

BuildTeam = Callable[..., tuple[TeamPolicy, Learner]]  # build_team(plan, spec, device, seed=None)


def build_sides(
    plan: Plan,
    spec: EnvSpec,
    device: torch.device,
    build_team: BuildTeam,
    only: Collection[int] | None = None,
) -> tuple[SidesPolicy, SidesLearner]:
    """The policies of a game's sides as one, and the learners of those that learn as one.

    Args:
        plan: the run's.
        spec: the whole game's sizes.
        device: the games' and the networks'.
        build_team: builds one side's policy and learner, as those of a team.
        only: if given, only the learning sides that some of these agents are on.

    Raises:
        UserError: the game or an opponent's run does not fit `teams`.
    """
    agents = members(plan.run.teams, spec.n_agents, spec.agent_names)
    _refuse_other_games(plan, spec, agents)
    wanted = {
        name: told
        for name, told in plan.run.teams.items()
        if only is None or (told.learns and not set(only).isdisjoint(agents[name]))
    }
    sides = {
        name: Side(name, torch.tensor(agents[name], device=device), told.reward)
        for name, told in wanted.items()
    }
    built = {
        name: build_team(plan, side.spec(spec), device, derive_seed(plan.run.seed, f"sides/{name}"))
        for name, side in sides.items()
        if wanted[name].learns
    }
    guests = {
        name: _load_guest(name, told, agents[name], plan, spec, device, build_team)
        for name, told in wanted.items()
        if told.policy
    }
    learner = SidesLearner(
        tuple(sides.values()),
        {name: each for name, (_, each) in built.items()},
        {name: policy for name, (policy, _) in built.items()},
        copies={name: (told.copy_of, told.copy_interval) for name, told in wanted.items() if told.copy_of},
        guests={name: policy for name, (policy, _) in guests.items()},
    )

    def player(name: str, told: SideSettings) -> Player:
        if told.learns:
            return Player(sides[name], built[name][0])
        greedy = told.greedy is not False
        if told.copy_of:
            return Opponent(sides[name], learner.copy(name), greedy=greedy)
        policy, step = guests[name]
        return Guest(sides[name], policy, t_env=step, greedy=greedy)

    policy = SidesPolicy(spec, [player(name, told) for name, told in wanted.items()])
    return policy.to(device), learner


def _refuse_other_games(plan: Plan, spec: EnvSpec, agents: Mapping[str, Sequence[int]]) -> None:
    """Sides are paid what their own agents earn, and a copy sits where the original could."""
    if spec.common_reward:
        raise UserError(
            f"teams: each side is paid what its own agents earn, and {plan['env'].name} pays all agents one reward."
        )
    teams = plan.run.teams.items()
    memory = plan.components.get("memory")
    standardised = memory is not None and getattr(memory.settings, "standardise_rewards", False)
    if standardised and any(len(agents[name]) > 1 and told.reward != "own" for name, told in teams):
        raise UserError(
            "teams: a side's reward is made of its agents', whose shares in it standardise_rewards would change: type "
            "standardise_rewards=False, or reward: own for each side."
        )
    for name, told in teams:
        if told.copy_of and len(agents[name]) != len(agents[told.copy_of]):
            raise UserError(
                f"teams.{name}.copy_of = {told.copy_of!r}: a copy plays as many agents as it learned as, and here are "
                f"{len(agents[name])} and {len(agents[told.copy_of])}."
            )


def _load_guest(
    name: str,
    told: SideSettings,
    agents: Collection[int],
    plan: Plan,
    spec: EnvSpec,
    device: torch.device,
    build_team: BuildTeam,
) -> tuple[TeamPolicy | SidesPolicy, int]:
    """The policy that another run of the same game tests, to play `agents`, and the step that it is of.

    Raises:
        UserError: there is no such run, or it taught nobody to play these agents.
    """
    key = f"teams.{name}.policy"
    given = f"{key}={told.policy}"
    try:
        folder = open_run_folder(Path(told.policy))
    except UserError as error:
        raise UserError(f"{given}: {error}") from error
    state, step, path = load_learner(folder.root, told.load_step, key)
    other = make_plan(Sources.of_run(folder.config, {}))
    if "mac" not in other.components or other["env"].name != plan["env"].name:
        raise UserError(f"{given} has learned another game: {task_name(other.config)}.")
    common = getattr(other["env"].settings, "common_reward", spec.common_reward)
    spec = dataclasses.replace(spec, common_reward=common)
    try:
        untaught = _untaught(other, spec, agents)
    except UserError as error:
        raise UserError(f"{given}: its game has other agents than this one.") from error
    if untaught:
        raise UserError(
            f"{given}: others played agents {', '.join(map(str, untaught))} there. Name the run that taught them."
        )
    try:
        if other.run.teams:
            policy, learner = build_sides(other, spec, device, build_team, only=agents)
        else:
            policy, learner = build_team(other, spec, device)
        learner.begin_with(state)
    except (RuntimeError, KeyError, ValueError) as error:
        raise UserError(
            f"{given}: what is in {path} does not fit this game; its own has other sizes."
        ) from error
    return learner.tested(policy), step


def _untaught(plan: Plan, spec: EnvSpec, agents: Collection[int]) -> list[int]:
    """Those of `agents` that a run of this plan did not teach."""
    if not plan.run.teams:
        return []
    sides = members(plan.run.teams, spec.n_agents, spec.agent_names)
    taught = {agent for name, told in plan.run.teams.items() if told.learns for agent in sides[name]}
    return sorted(set(agents) - taught)
