"""Games of several runs in one program, which advance together: a batch costs little more than one run's part of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from torch import Tensor

from cohort.components.turns import Turns
from cohort.configuration.compatibility import fitting, provided
from cohort.configuration.plan import Component
from cohort.envs.base import EnvSpec, MultiAgentEnv, Observation, Transition
from cohort.errors import UserError
from cohort.settings import Settings

ABILITY = "joint_steps"  # what the class of a `JointEnv` says in `provides`


class JointEnv(MultiAgentEnv, Protocol):
    """An environment whose games can advance in one batch with those of its like."""

    settings: Settings

    @staticmethod
    def step_together(envs: Sequence[Any], actions: Sequence[Tensor]) -> list[Transition]:
        """`step` of each of `envs`, which have the same settings, each its own number of games: the same numbers."""


class GamesTogether:
    """One run's environment, which steps when the other runs' do. Everything else it does by itself."""

    def __init__(self, env: JointEnv, turns: "Turns[Ask, Transition]") -> None:
        self.env, self._turns = env, turns
        self.spec: EnvSpec = env.spec
        self.batch_size = env.batch_size
        self.kind = (type(env), env.settings.model_dump_json())  # those of one kind step together

    def reset(self, *games: Tensor) -> Observation:
        return self.env.reset(*games)

    def step(self, actions: Tensor) -> Transition:
        return self._turns.ask((self, actions))

    def state_dict(self) -> dict[str, Any]:
        return self.env.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.env.load_state_dict(state)


Ask = tuple[GamesTogether, Tensor]  # a step with these actions


def step_all(asked: Sequence[Ask]) -> list[Transition]:
    """One step of each environment, those of one kind in one batch."""
    kinds: dict[Any, list[int]] = {}
    for place, (games, _) in enumerate(asked):
        kinds.setdefault(games.kind, []).append(place)
    done: dict[int, Transition] = {}
    for (env, _), places in kinds.items():
        each, actions = zip(*(asked[place] for place in places), strict=True)
        done |= zip(places, env.step_together([games.env for games in each], actions), strict=True)
    return [done[place] for place in range(len(asked))]


@dataclass(frozen=True)
class TogetherComponent(Component):
    """The environment of a plan whose games are to step with other runs'."""

    turns: Turns[Ask, Transition]

    @classmethod
    def of(cls, env: Component, turns: Turns[Ask, Transition]) -> Self:
        """Raises `UserError` where they cannot."""
        refuse_apart(env, "several runs at once")
        return cls(env.name, env.cls, env.settings, turns)

    def create(self, **parts: Any) -> GamesTogether:
        return GamesTogether(super().create(**parts), self.turns)


def refuse_apart(env: Component, asked: str) -> None:
    """Raises `UserError` where the games of several runs, as is `asked` for, cannot step together."""
    if not _can(env.cls):
        raise UserError(
            f"{asked}: their games step together, which env={env.name} does not know. Start each run by itself, or "
            f"choose another environment: {fitting('env', _can)}"
        )
    if getattr(env.settings, "compile", False):
        raise UserError(
            f"{asked}: env_args.compile=True makes a program for batches of one size, and theirs change with who plays "
            "at the moment. Leave it out, or start each run by itself."
        )


def _can(env: type) -> bool:
    return ABILITY in provided(env)
