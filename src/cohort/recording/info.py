"""What readers of PyMARL's and EPyMARL's records look for beside Sacred's own: `info`, and two keys of `config`."""

from collections.abc import Mapping, Sequence
from typing import Any

MOST_POINTS = 1000  # of one metric
MOST_NUMBERS = 200_000  # of all lists together: about 3 MB in a document of MongoDB, which may have 16

# at the top of EPyMARL's configuration; here, if anywhere, the environment's
CONFIG_KEYS = {"common_reward": True, "reward_scalarisation": "sum"}

Curve = tuple[Sequence[int], Sequence[float]]  # environment steps and values


def info_lists(curves: Mapping[str, Curve]) -> dict[str, list[float]]:
    """PyMARL's lists of each metric: `<name>` its values, `<name>_T` their environment steps.

    Of longer curves every second, third, ... point is there, and always the last.

    A metric has at most `MOST_POINTS` points, and all of them together at most `MOST_NUMBERS` numbers.
    """
    each = max(2, min(MOST_POINTS, MOST_NUMBERS // max(1, 2 * len(curves))))
    lists: dict[str, list[float]] = {}
    for name, (steps, values) in curves.items():
        last = len(steps) - 1
        stride = max(1, -(-last // (each - 1)))  # rounded up
        places = range(last % stride, last + 1, stride)
        key = name.replace(".", "_").replace("$", "_")
        lists[key] = [values[place] for place in places]
        lists[f"{key}_T"] = [steps[place] for place in places]
    return lists


def as_readers_expect(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with `CONFIG_KEYS` at its top."""
    arguments = config.get("env_args") or {}
    return {**{key: arguments.get(key, usual) for key, usual in CONFIG_KEYS.items()}, **config}


def as_configured(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without them."""
    return {key: value for key, value in config.items() if key not in CONFIG_KEYS}
