"""`teams`: the sides of a game, which agents each has, and who plays it."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from cohort.configuration.paths import PathText
from cohort.configuration.wording import brief
from cohort.errors import UserError
from cohort.registry import nearest
from cohort.settings import Settings

Pay = Literal["sum", "mean", "own"]


class SideSettings(Settings):
    """One side. It is taught by the run's method, or plays a policy from a run's folder, or a past copy of a side."""

    agents: list[int | str] = Field(
        default=[],
        description="its agents by number or name, * standing for anything; none: all that are left",
    )
    reward: Pay = Field(
        default="sum",
        description="what it is paid: the sum or mean of its agents' rewards, or each agent its own",
    )
    policy: PathText | None = Field(
        default=None,
        min_length=1,
        description="it is played by what this run's folder holds, and does not learn",
    )
    load_step: int = Field(
        default=0, ge=0, description="with policy: the saved model nearest to this step; 0 is the last"
    )
    copy_of: str | None = Field(
        default=None, description="it is played by a past copy of this side's policy, and does not learn"
    )
    copy_interval: int | None = Field(
        default=None, ge=1, description="with copy_of: environment steps after which the copy is made anew"
    )
    greedy: bool | None = Field(
        default=None,
        description="with policy or copy_of: it plays greedily (True, and null) or as it explores (False)",
    )

    @model_validator(mode="after")
    def one_plays(self) -> Self:
        if self.policy and self.copy_of:
            raise ValueError("policy and copy_of both say who plays it: give one")
        if self.load_step and not self.policy:
            raise ValueError("load_step belongs to policy")
        if (self.copy_of is None) != (self.copy_interval is None):
            raise ValueError("copy_of and copy_interval, environment steps between two copies, go together")
        if self.learns and self.greedy is not None:
            raise ValueError(
                "greedy belongs to policy or copy_of: a side that learns explores, and is tested as test_greedy says"
            )
        return self

    @property
    def learns(self) -> bool:
        """Whether the run's method teaches it."""
        return not self.policy and not self.copy_of


def spelt_out(teams: Mapping[Any, Any]) -> dict[str, Any]:
    """`{predators: adversary_*}` as `{predators: {agents: [adversary_*]}}`. Raises `ValueError` on what is neither."""
    return {name: _side(name, told) for name, told in teams.items()}


def _side(name: Any, told: Any) -> Any:
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"{name!r} is no name of a side: letters, digits and _ only")
    if isinstance(told, SideSettings):
        return told
    if not isinstance(told, Mapping):
        return {"agents": _as_list(told)}
    known = list(SideSettings.model_fields)
    for key in told:
        if key not in known:
            raise ValueError(
                f"{name} has no key {key!r}.{nearest(str(key), known)} Allowed: {', '.join(known)}"
            )
    return {**told, "agents": _as_list(told.get("agents", []))}


def _as_list(agents: Any) -> Any:
    return [agents] if isinstance(agents, int | str) else agents


def refuse_unfit(teams: Mapping[str, SideSettings]) -> None:
    """Raises `ValueError` where nobody learns, or what is copied does not."""
    learn = [name for name, side in teams.items() if side.learns]
    if teams and not learn:
        raise ValueError("no side learns: at least one has neither policy nor copy_of")
    for name, side in teams.items():
        if side.copy_of is not None and side.copy_of not in learn:
            raise ValueError(
                f"{name}.copy_of = {side.copy_of!r} is no side that learns.{nearest(side.copy_of, learn)} "
                f"Those that do: {', '.join(learn)}"
            )
    if sum(not side.agents for side in teams.values()) > 1:
        raise ValueError("one side at most may leave out its agents, and takes those that are left")


def members(teams: Mapping[str, SideSettings], n_agents: int, names: Sequence[str]) -> dict[str, list[int]]:
    """The numbers of each side's agents, each agent on one side. `names` are the agents' own, where they have any.

    Raises:
        UserError: an agent is on no side or on two, or a word names none.
    """
    found = {
        name: sorted({agent for word in side.agents for agent in _named(name, word, n_agents, names)})
        for name, side in teams.items()
    }
    taken = [agent for agents in found.values() for agent in agents]
    left = [agent for agent in range(n_agents) if agent not in taken]
    rest = [name for name, agents in found.items() if not agents]  # one at most
    if rest and left:
        found[rest[0]], left, rest = left, [], []
    shown = dict(enumerate(names)) or {agent: str(agent) for agent in range(n_agents)}
    twice = {shown[agent] for agent in taken if taken.count(agent) > 1}
    if twice:
        raise UserError(f"teams: {', '.join(sorted(twice))} would be on two sides.")
    if left:
        raise UserError(f"teams: {', '.join(shown[agent] for agent in left)} would be on no side.")
    if rest:
        raise UserError(f"teams: no agent is left for {rest[0]}.")
    return found


def _named(side: str, word: int | str, n_agents: int, names: Sequence[str]) -> list[int]:
    if isinstance(word, int):
        found = [word] if 0 <= word < n_agents else []
    else:
        found = [agent for agent, name in enumerate(names) if fnmatchcase(name, word)]
        found = found or (list(range(n_agents)) if word == "*" else [])
    if not found:
        called = f", called {brief(list(names))}" if names else ", which have no names"
        raise UserError(
            f"teams.{side}.agents = {word!r}: there is no such agent. "
            f"The game has the agents 0 to {n_agents - 1}{called}."
        )
    return found
