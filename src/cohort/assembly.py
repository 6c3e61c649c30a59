"""Where a plan becomes objects. Nobody else sees the whole configuration: each piece receives just what it needs."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from cohort.assembly_sides import build_sides
from cohort.components.seeding import generator
from cohort.configuration.plan import Plan
from cohort.controllers.sides_policy import SidesPolicy
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.envs.workers.env import WorkerEnv
from cohort.learners.base import Learner
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
    if plan.run.teams:
        return build_sides(plan, spec, device, build_team)
    return build_team(plan, spec, device)


def build_team(
    plan: Plan, spec: EnvSpec, device: torch.device, seed: int | None = None
) -> tuple[TeamPolicy, Learner]:
    """One team's policy and its learner; `seed`, the run's if none is given, feeds what a method draws."""
    policy = plan["mac"].create(
        spec=spec,
        agent=_agent(plan, spec),
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


def _agent(plan: Plan, spec: EnvSpec) -> Callable[..., torch.nn.Module]:
    """What makes the agents' network; one that reads pictures is told their sizes."""
    choice = plan["agent"]
    reads_pictures = getattr(choice.cls, "reads_pictures", False)
    return partial(choice.create, picture=spec.picture) if reads_pictures else choice.create


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
