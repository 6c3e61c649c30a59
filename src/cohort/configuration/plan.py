"""`Plan`: every chosen component with its own validated settings, before anything is built."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from cohort.configuration.compatibility import refuse_one_team_only, refuse_what_does_not_fit
from cohort.configuration.explanations import (
    explain_no_choice,
    explain_unknown_env_arg,
    explain_unread,
    keys_of_all_components,
)
from cohort.configuration.layers import Sources
from cohort.configuration.pymarl.translation import translated
from cohort.configuration.roles import ROLES
from cohort.configuration.run_settings import RunSettings
from cohort.configuration.updates import ENV_ARGS
from cohort.configuration.validation import validate
from cohort.configuration.wording import brief
from cohort.errors import UserError
from cohort.settings import Settings


@dataclass(frozen=True)
class Component:
    """One chosen implementation and what it is told."""

    name: str
    cls: type
    settings: Settings

    def create(self, **parts: Any) -> Any:
        return self.cls(self.settings, **parts)


@dataclass(frozen=True)
class Plan:
    """All a run needs to be built; `config` is the same as one flat mapping, for the record."""

    run: RunSettings
    components: Mapping[str, Component]
    config: Mapping[str, Any]

    def __getitem__(self, role: str) -> Component:
        return self.components[role]

    def text(self) -> str:
        """The whole configuration as YAML that `--resume` and people can read."""
        return yaml.safe_dump(dict(self.config), sort_keys=False, allow_unicode=True)

    def plain_config(self) -> dict[str, Any]:
        """The configuration as it comes back from `text`."""
        return yaml.safe_load(self.text())


def make_plan(sources: Sources) -> Plan:
    """Choose, check and normalise. Raises `UserError` on the first thing that is wrong."""
    sources = translated(sources)
    flat = sources.merged()
    chosen = _choose(flat, sources)
    readers: dict[str, type[Settings]] = {role: cls.Settings for role, cls in chosen.items() if role != "env"}
    readers["run"] = RunSettings
    _refuse_unread(flat, sources, readers, chosen)

    made = {role: validate(role, reader, flat, sources) for role, reader in readers.items()}
    env_args = flat.get(ENV_ARGS, {})
    _refuse_unknown_env_args(env_args, chosen["env"].Settings, sources, flat["env"])
    made["env"] = validate("env", chosen["env"].Settings, env_args, sources, within=ENV_ARGS)
    if made["run"].teams:
        refuse_one_team_only(flat, sources, chosen, made["env"])

    components = {role: Component(flat[role], cls, made[role]) for role, cls in chosen.items()}
    config: dict[str, Any] = {role: flat[role] for role in chosen}
    for role in readers:
        config |= made[role].model_dump(mode="json")
    config = {**dict(sorted(config.items())), ENV_ARGS: made["env"].model_dump(mode="json")}
    return Plan(run=made["run"], components=components, config=config)


def _choose(flat: Mapping[str, Any], sources: Sources) -> dict[str, type]:
    """The class of every role that this run has. They fit together."""

    def load(role: str) -> type:
        return ROLES[role].load(_component_name(flat, role, sources))

    leading = {role: load(role) for role in ("learner", "trainer")}
    refuse_what_does_not_fit(flat, sources, leading)  # these two say which others there are
    wanted = {*leading["trainer"].roles, *leading["learner"].parts}
    chosen = {role: load(role) for role in ROLES if role in wanted}
    refuse_what_does_not_fit(flat, sources, chosen)
    return chosen


def _component_name(flat: Mapping[str, Any], role: str, sources: Sources) -> str:
    if role not in flat:
        raise UserError(explain_no_choice(flat, role, sources))
    if not isinstance(flat[role], str):
        raise UserError(
            f"{role} = {brief(flat[role])} ({sources.origin(role)}): must be a name. "
            f"Known: {', '.join(ROLES[role].entries)}."
        )
    return flat[role]


def _refuse_unread(
    flat: Mapping[str, Any],
    sources: Sources,
    readers: Mapping[str, type[Settings]],
    chosen: Mapping[str, type],
) -> None:
    """A key that the user or the algorithm's file gives must be read by a component that is chosen.

    A shared file serves many algorithms: there it is enough that somebody reads a key, and of our own files a test
    has seen that. So other methods are imported only to explain a key that this run does not read.
    """
    read = {key for reader in readers.values() for key in reader.model_fields} | set(chosen) | {ENV_ARGS}
    unread = [
        (layer, key, value)
        for layer in sources.layers
        if not (layer.shared and layer.ours)
        for key, value in layer.values.items()
        if key not in read and not (layer.shared and key in ROLES)
    ]
    elsewhere = keys_of_all_components() if unread else {}
    for layer, key, value in unread:
        if not (layer.shared and key in elsewhere):
            known = sorted(read)
            raise UserError(
                explain_unread(
                    key, value, layer.place, known=known, elsewhere=elsewhere, flat=flat, chosen=chosen
                )
            )


def _refuse_unknown_env_args(
    env_args: Mapping[Any, Any], settings: type[Settings], sources: Sources, env: str
) -> None:
    for key, value in env_args.items():
        if key not in settings.model_fields:
            place = sources.origin(key, ENV_ARGS)
            raise UserError(explain_unknown_env_arg(key, value, settings, place, env))
