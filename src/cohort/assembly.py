"""Where a plan becomes objects. Nobody else sees the whole configuration: each piece receives just what it needs."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from cohort.components.seeding import derive_seed, generator
from cohort.components.sides import Side
from cohort.configuration.plan import Plan, Sources, make_plan
from cohort.configuration.task import task_name
from cohort.configuration.teams import TeamSettings, members
from cohort.controllers.sides_policy import Guest, Opponent, Player, SidesPolicy
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.envs.workers.env import WorkerEnv
from cohort.errors import UserError
from cohort.learners.base import Learner
from cohort.learners.sides_learner import SidesLearner
from cohort.recording.folder import open_run_folder
from cohort.recording.models import load_learner
from cohort.runners.env_factory import EnvFactory, Film
from cohort.trainers.base import Trainer

Say = Callable[[str], None]  # prints one line for the user


def build_trainer(plan: Plan, device: torch.device, say: Say) -> Trainer:
    """The trainer of a run and all its pieces. Raises `ValueError` on pieces that do not fit this environment."""
    build = build_team_trainer if "mac" in plan.components else build_chain_trainer
    return build(plan, device, say)


def build_team_trainer(plan: Plan, device: torch.device, say: Say) -> Trainer:
    """A trainer of one team, which plays in games of its own for training and for evaluation."""
    games = build_games(plan, device, say)
    policy, learner = build_learner(plan, games.spec, device)
    parts: dict[str, Any] = {"games": games, "policy": policy, "learner": learner}
    if "memory" in plan.components:
        parts["replay"] = plan["memory"].create(
            unit=learner.learns_from,
            spec=games.spec,
            extras=policy.extra_shapes,
            device=device,
            generator=generator(plan.run.seed, "replay"),
        )
        say(parts["replay"].describe())
    else:
        parts["generator"] = generator(plan.run.seed, "minibatches")
    return plan["trainer"].create(**parts)


def build_games(plan: Plan, device: torch.device, say: Say) -> EnvFactory:
    """All games of a run."""
    in_workers = issubclass(plan["env"].cls, WorkerEnv)
    return EnvFactory(
        plan["env"].create,
        plan["runner"].create,
        seed=plan.run.seed,
        test_episodes=plan.run.test_nepisode,
        worker_games=plan["trainer"].settings.batch_size_run if in_workers else None,
        film=Film(plan.run.replay_format, plan.run.replay_agent),
        device=device,
        say=say,
    )


def build_learner(
    plan: Plan, spec: EnvSpec, device: torch.device
) -> tuple[TeamPolicy | SidesPolicy, Learner]:
    """The policy of all agents and the learner that trains it, for an environment of these sizes."""
    build = build_sides if plan.run.teams else build_team
    return build(plan, spec, device)


def build_team(
    plan: Plan, spec: EnvSpec, device: torch.device, seed: int | None = None
) -> tuple[TeamPolicy, Learner]:
    """One team's policy and its learner; `seed`, the run's if none is given, feeds what a method draws."""
    policy = plan["mac"].create(
        spec=spec,
        agent=plan["agent"].create,
        head=plan["head"].create(spec=spec),
        action_selector=plan["action_selector"].create(),
        extras=plan["learner"].cls.extras,
    )
    if plan["learner"].cls.learns_from == "steps" and policy.settings.obs_last_action:
        raise ValueError(
            f"learner={plan['learner'].name} learns from single steps, which do not know what was done before: "
            "obs_last_action=False"
        )
    factories = {
        f"make_{role}": partial(_make, plan[role].create, spec, device) for role in plan["learner"].cls.parts
    }
    learner = plan["learner"].create(
        spec=spec,
        policy=policy.to(device),
        device=device,
        seed=plan.run.seed if seed is None else seed,
        **factories,
    )
    return policy, learner


def build_sides(
    plan: Plan, spec: EnvSpec, device: torch.device, only: Collection[int] | None = None
) -> tuple[SidesPolicy, SidesLearner]:
    """The policies of a game's sides as one, and the learners of those that learn as one.

    With `only`, of the learning sides alone that some of these agents are on.

    Raises:
        UserError: the game or an opponent's run does not fit `teams`.
    """
    agents = members(plan.run.teams, spec.n_agents, spec.agent_names)
    _refuse_other_games(plan, spec, agents)
    teams = {
        name: told
        for name, told in plan.run.teams.items()
        if only is None or (told.learns and not set(only).isdisjoint(agents[name]))
    }
    sides = {
        name: Side(name, torch.tensor(agents[name], device=device), told.reward)
        for name, told in teams.items()
    }
    built = {
        name: build_team(plan, side.spec(spec), device, derive_seed(plan.run.seed, f"sides/{name}"))
        for name, side in sides.items()
        if teams[name].learns
    }
    guests = {
        name: load_guest(name, told, agents[name], plan, spec, device)
        for name, told in teams.items()
        if told.policy
    }
    chance = generator(plan.run.seed, "opponents/test", device)
    learner = SidesLearner(
        tuple(sides.values()),
        {name: each for name, (_, each) in built.items()},
        {name: policy for name, (policy, _) in built.items()},
        copies={name: (told.copy_of, told.copy_interval) for name, told in teams.items() if told.copy_of},
        guests={name: policy for name, (policy, _) in guests.items()},
        generator=chance,
    )

    def player(name: str, told: TeamSettings) -> Player:
        if told.learns:
            return Player(sides[name], built[name][0])
        how = {"greedy": told.greedy is not False, "generator": chance}
        if told.copy_of:
            return Opponent(sides[name], learner.copy(name), **how)
        policy, step = guests[name]
        return Guest(sides[name], policy, t_env=step, **how)

    policy = SidesPolicy(spec, [player(name, told) for name, told in teams.items()])
    return policy.to(device), learner


def _refuse_other_games(plan: Plan, spec: EnvSpec, agents: Mapping[str, Sequence[int]]) -> None:
    """Sides are paid what their own agents earn, and a copy sits where the original could."""
    if spec.common_reward:
        raise UserError(
            f"teams: each side is paid what its own agents earn, and {plan['env'].name} pays all agents one reward."
        )
    teams = plan.run.teams.items()
    standardised = "memory" in plan.components and plan["memory"].settings.standardise_rewards
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


def load_guest(
    name: str, told: TeamSettings, agents: Collection[int], plan: Plan, spec: EnvSpec, device: torch.device
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
            policy, learner = build_sides(other, spec, device, only=agents)
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


def _make(create: Callable[..., torch.nn.Module], spec: EnvSpec, device: torch.device, **sizes: Any) -> Any:
    """One more mixer or critic, with initial weights of its own."""
    return create(spec=spec, **sizes).to(device)


def load_team(
    plan: Plan, state: Mapping[str, Any], spec: EnvSpec, device: torch.device
) -> TeamPolicy | SidesPolicy:
    """The policy that a run of this plan tests, from its learner's saved state."""
    policy, learner = build_learner(plan, spec, device)
    learner.load_state_dict(state)
    return learner.tested(policy)


def build_chain_trainer(plan: Plan, device: torch.device, say: Say) -> Trainer:
    """A trainer of one agent among learning peers, which plays chains of matches."""
    seed = plan.run.seed
    env = plan["env"].create(batch_size=1, seed=seed, device=device)
    game = plan["trainer"].cls.game_of(env, plan["trainer"].settings)
    learner = plan["learner"].create(game=game, steps=env.spec.episode_limit, device=device, seed=seed)
    return plan["trainer"].create(env=env, learner=learner, device=device, seed=seed, say=say)
