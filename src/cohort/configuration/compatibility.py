"""Refusing components that would not understand one another, with the names of those that would."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from cohort.configuration import files
from cohort.configuration.layers import Sources
from cohort.configuration.roles import COMPATIBLE, PROVIDES, REQUIRES, ROLES, SIDES
from cohort.errors import UserError
from cohort.settings import Settings


def refuse_what_does_not_fit(flat: Mapping[str, Any], sources: Sources, chosen: Mapping[str, type]) -> None:
    """Two components differ in what both must say alike, or one lacks what another requires of it."""
    _refuse_differences(flat, sources, chosen)
    _refuse_missing_capabilities(flat, sources, chosen)


def refuse_one_team_only(
    flat: Mapping[str, Any], sources: Sources, chosen: Mapping[str, type], env: Settings
) -> None:
    """Refuse what `teams` cannot have: trainers of one team, runners that need more of a policy, one reward for all."""
    if SIDES not in provided(chosen["trainer"]):
        others = fitting("trainer", lambda found: SIDES in provided(found))
        raise UserError(
            f"teams and trainer = {flat['trainer']} ({sources.origin('trainer')}) do not fit together: it teaches one "
            f"team. With teams, {others}."
        )
    if getattr(chosen["runner"], f"{REQUIRES}mac", ()):
        raise UserError(
            f"teams and runner = {flat['runner']} ({sources.origin('runner')}) do not fit together: with teams, games "
            "are played side by side: runner=in_process."
        )
    if getattr(env, "common_reward", False):
        raise UserError(
            "teams: each side is paid what its own agents earn, and here all agents get one reward: type "
            "env_args.common_reward=False."
        )


def _refuse_differences(flat: Mapping[str, Any], sources: Sources, chosen: Mapping[str, type]) -> None:
    """As a learner of utilities and a head of action probabilities."""
    for role, other, attribute in COMPATIBLE:
        wanted, found = (_accepted(chosen.get(each), attribute) for each in (role, other))
        if _meet(wanted, found):
            continue
        what = attribute.replace("_", " ")
        others = fitting(
            other, lambda cls, wanted=wanted, said=attribute: _meet(wanted, _accepted(cls, said))
        )
        raise UserError(
            f"{_pair(role, other, flat, sources)} do not fit together: "
            f"{what} {_either(found)} here, {what} {_either(wanted)} there. "
            f"To fit {flat[role]}, {others}."
        )


def _refuse_missing_capabilities(
    flat: Mapping[str, Any], sources: Sources, chosen: Mapping[str, type]
) -> None:
    """As a trainer that plays chains and an environment that has none."""
    for role, cls in chosen.items():
        for other in chosen:
            wanted = set(getattr(cls, REQUIRES + other, ()))
            missing = wanted - provided(chosen[other])
            if not missing:
                continue
            others = fitting(other, lambda found, wanted=wanted: wanted <= provided(found))
            raise UserError(
                f"{_pair(role, other, flat, sources)} do not fit together: "
                f"{flat[role]} requires {' and '.join(sorted(missing))}, which {flat[other]} does not provide. "
                f"To fit {flat[role]}, {others}."
            )


def _accepted(cls: type | None, attribute: str) -> frozenset | None:
    """The values a class accepts; None for everything."""
    said = getattr(cls, attribute, None)
    if said is None:
        return None
    return frozenset(said if isinstance(said, tuple) else (said,))


def _meet(some: frozenset | None, others: frozenset | None) -> bool:
    return some is None or others is None or bool(some & others)


def provided(cls: type) -> set[str]:
    """The abilities that a component's class names."""
    return set(getattr(cls, PROVIDES, ()))


def _either(values: frozenset | None) -> str:
    return " or ".join(sorted(map(str, values or ())))


def _pair(role: str, other: str, flat: Mapping[str, Any], sources: Sources) -> str:
    parts = (f"{each} = {flat[each]} ({sources.origin(each)})" for each in (other, role))
    return " and ".join(parts)


def fitting(role: str, fits: Callable[[type], bool]) -> str:
    """Which registered components of a role would do; those that cannot be imported here would not."""
    names = []
    for name in ROLES[role].entries:
        with suppress(UserError):
            if fits(ROLES[role].load(name)):
                names.append(name)
    if role == "env":  # people choose an environment by its file
        flag = "--env-config"
        found = [each for each in files.names(flag) if files.read(files.find(flag, each))["env"] in names]
        return f"{flag} can be: {', '.join(found)}" if found else "no registered environment will do"
    return f"{role} can be: {', '.join(names)}" if names else f"no registered {role} will do"
