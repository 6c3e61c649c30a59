"""What a run's team is asked to do, in one word for tables, figures and folder names."""

from collections.abc import Mapping
from typing import Any

# the arguments of environments that name a task
TASK_ARGS = ("map_name", "key", "scenario")


def task_name(config: Mapping[str, Any]) -> str:
    """The map of a configuration, or what stands for it: a key, a scenario and its partition, the environment."""
    env_args = config.get("env_args") or {}
    if "scenario" in env_args:
        return f"{env_args['scenario']}-{env_args.get('agent_conf')}"
    return str(env_args.get("map_name") or env_args.get("key") or config.get("env", "?"))
