"""SMACv2's own code (arXiv:2212.07489) on the real StarCraft II, as its files sc2_gen_<race>.yaml set it up."""

import os
from functools import partial
from importlib.util import find_spec
from typing import Any

from cohort.envs.smacv2_sim.tasks import RACES
from cohort.errors import UserError


def arguments(race: str, n_units: int = 5, n_enemies: int = 5) -> dict[str, Any]:
    """What SMACv2's `StarCraftCapabilityEnvWrapper` is built with for one race and size, its defaults left out."""
    kinds, sizes = RACES[race].kinds, {"n_units": n_units, "n_enemies": n_enemies}
    names = {kind: kind.name.lower() for kind in kinds}
    teams = {
        "dist_type": "weighted_teams",
        "unit_types": list(names.values()),
        "weights": [kind.weight for kind in kinds],
        "exception_unit_types": [name for kind, name in names.items() if not kind.alone],
        "observe": True,
    }
    places = {"dist_type": "surrounded_and_reflect", "p": 0.5, "map_x": 32, "map_y": 32}
    return {
        "map_name": f"10gen_{race}",
        "obs_own_pos": True,
        "use_unit_ranges": True,
        "min_attack_range": 2,
        "capability_config": {**sizes, "team_gen": teams, "start_positions": places},
    }


def play(race: str, n_units: int = 5, n_enemies: int = 5, **others: Any) -> Any:
    """SMACv2's environment; `others` are arguments of its `StarCraft2Env`.

    Raises:
        UserError: smacv2 is not installed.
    """
    if find_spec("smacv2") is None:
        raise UserError(
            "SMACv2's own code is not installed; docs/smacv2.md says how. Without it and without StarCraft II: "
            f"--env-config=smacv2_sim with env_args.map_name={race}_{n_units}_vs_{n_enemies}"
        )
    # its messages do not load otherwise beside a current protobuf
    os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
    from smacv2.env.starcraft2.wrapper import StarCraftCapabilityEnvWrapper

    return StarCraftCapabilityEnvWrapper(**(arguments(race, n_units, n_enemies) | others))


terran, protoss, zerg = (partial(play, race) for race in ("terran", "protoss", "zerg"))
