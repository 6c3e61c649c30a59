"""What a run's team is asked to do, in one word for tables, figures and folder names."""

from collections.abc import Mapping
from typing import Any

# the arguments of environments that name a task
TASK_ARGS = ("map_name", "key", "scenario")


def task_name(config: Mapping[str, Any]) -> str:
    """The map of a configuration, or what stands for it: a key, a class, a scenario and its partition, its env."""
    env_args = config.get("env_args") or {}
    if "scenario" in env_args:
        partition = f"-{env_args['agent_conf']}" if "agent_conf" in env_args else ""
        return f"{env_args['scenario']}{partition}"
    if entry_point := env_args.get("entry_point"):
        arguments = env_args.get("kwargs") or {}
        return str(arguments.get("map_name") or arguments.get("id") or entry_point.rpartition(":")[2])
    return str(env_args.get("map_name") or env_args.get("key") or config.get("env", "?"))
