"""What PyMARL's and EPyMARL's algorithm files stand on here: they extend nothing and name no trainer."""

from collections.abc import Mapping
from typing import Any, NamedTuple

TAU = "target_update_interval_or_tau"  # stands in every algorithm's file of EPyMARL and in none of PyMARL's


class Base(NamedTuple):
    """What a learner's file extends, with what the project's code does and no key of the file says."""

    extends: str
    values: Mapping[str, Any] = {}


PYMARL = {
    "q_learner": Base("value"),
    "coma_learner": Base("coma", {"entropy_coef": 0.0}),
}
# Adam everywhere, and PPO without MAPPO's tricks
EPYMARL = {
    "q_learner": Base("value", {"optimizer": "adam", "optim_eps": 1e-8}),
    "coma_learner": Base("coma", {"optim_eps": 1e-8}),
    "ppo_learner": Base(
        "mappo",
        {
            "optim_eps": 1e-8,
            "normalise_advantages": False,
            "normalise_values": False,
            "value_clip_range": None,
            "huber_delta": None,
        },
    ),
}


def base_of(content: Mapping[str, Any]) -> Base | None:
    """What an algorithm's file of PyMARL's or EPyMARL's stands on; None for files that say it themselves."""
    if "trainer" in content:
        return None
    base = (EPYMARL if TAU in content else PYMARL).get(content.get("learner", ""))
    if base is None:
        return None
    more = {}
    if content.get("mixer") == "qmix":
        more = {"hypernet_layers": 1, "hypernet_embed": 64}
    if base.extends != "value" and TAU in content and "lr" in content:
        more = {"critic_lr": content["lr"]}  # one rate for actor and critic
    return base._replace(values={**base.values, **more})
