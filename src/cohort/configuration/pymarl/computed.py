"""Keys of PyMARL's and EPyMARL's that become keys of ours in a way that depends on other keys."""

from collections.abc import Mapping
from typing import Any

from cohort.configuration.pymarl.rows import Flat, NotHereError
from cohort.configuration.updates import ENV_ARGS
from cohort.envs import ENVS
from cohort.errors import UserError

PPO = "ppo_learner"
COMA = "coma_learner"
CRITICS: Mapping[str, Mapping[str, Any]] = {
    "coma_critic": {"critic": "counterfactual"},
    "cv_critic": {"critic": "state_value", "critic_inputs": "state", "critic_network": "mlp"},
    "ac_critic": {"critic": "state_value", "critic_inputs": "obs", "critic_network": "mlp"},
}


def runner(value: Any, flat: Flat) -> Mapping[str, Any]:
    """One update follows each batch of episodes there."""
    if value not in ("episode", "parallel"):
        return {"runner": value}
    alone = {"batch_size_run": 1} if value == "episode" else {}
    games = 1 if alone else flat.get("batch_size_run", 1)
    if flat.get("updates_per_episode") is None or not isinstance(games, int) or games < 1:
        return {"runner": "in_process", **alone}
    return {"runner": "in_process", **alone, "updates_per_episode": 1 / games}


def agent(value: Any, flat: Flat) -> Mapping[str, Any]:
    """`rnn` and `rnn_ns`, which lose their memory with `use_rnn: False`."""
    if value not in ("rnn", "rnn_ns"):
        return {"agent": value}
    own = "own_" if value == "rnn_ns" else ""
    if flat.get("use_rnn", True):
        return {"agent": f"{own}rnn"}
    return {"agent": f"{own}mlp", **({"agent_activation": "relu"} if own else {})}


def use_rnn(value: Any, flat: Flat) -> Mapping[str, Any]:
    return agent(flat.get("agent", "rnn"), {**flat, "use_rnn": value})


def hidden_dim(value: Any, flat: Flat) -> Mapping[str, Any]:
    """Of the agents' networks and of the critic's."""
    recurrent = flat.get("use_rnn", str(flat.get("agent")).endswith(("rnn", "rnn_ns")))
    own = {"rnn_hidden_dim": value} if recurrent else {"agent_hidden_dims": [value, value]}
    return own | ({"critic_hidden_dim": value} if flat.get("learner") in (COMA, PPO) else {})


def critic_type(value: Any, flat: Flat) -> Mapping[str, Any]:
    if value in CRITICS:
        return CRITICS[value]
    known = str(value).removesuffix("_ns")
    choice = known if known in CRITICS else ", ".join(CRITICS)
    raise NotHereError(f"agents share their critic: type critic_type={choice}")


def batch(key: str) -> Any:
    """`batch_size` and `buffer_size`: methods that learn from fresh episodes have neither."""

    def translate(value: Any, flat: Flat) -> Mapping[str, Any]:
        if not _forgets(flat):
            return {key: value}
        if value == flat.get("batch_size_run"):
            return {}
        raise NotHereError(
            "this method learns from the batch_size_run episodes that it has just played, and forgets them: "
            f"type batch_size_run={value} {key}={value}"
        )

    return translate


def target_update_interval(value: Any, flat: Flat) -> Mapping[str, Any]:
    """Episodes for the value family; for COMA steps of the critic, of which an update has `critic_updates`."""
    if flat.get("learner") != COMA or not isinstance(value, int):
        return {"target_update_interval": value}
    return {"target_update_updates": max(1, round(value / flat.get("critic_updates", 1)))}


def interval_or_tau(value: Any, flat: Flat) -> Mapping[str, Any]:
    """Above 1: updates between two copies; else the share of the way that targets go with every update."""
    if not isinstance(value, int | float) or value <= 0:
        raise NotHereError(
            "type target_update_interval=<episodes> or target_mode=soft target_update_rate=<share>"
        )
    if flat.get("learner") == PPO:
        return {}
    if flat.get("learner") == COMA:
        if value <= 1:
            raise NotHereError("COMA's target critic is copied: type target_update_interval_or_tau=200")
        return target_update_interval(round(value), flat)
    if value <= 1:
        return {"target_mode": "soft", "target_update_rate": float(value)}
    games = 1 if flat.get("runner") == "episode" else flat.get("batch_size_run", 1)
    return {"target_mode": "hard", "target_update_interval": round(value * games)}


def standardise_rewards(value: Any, flat: Flat) -> Mapping[str, Any]:
    """Of the replay memory."""
    if not _forgets(flat):
        return {"standardise_rewards": value}
    if value is False:
        return {}
    raise NotHereError(
        "methods without a replay memory learn from rewards as they are: type standardise_rewards=False"
    )


def standardise_returns(value: Any, flat: Flat) -> Mapping[str, Any]:
    """PPO's critics have it."""
    if flat.get("learner") == PPO:
        return {"normalise_values": value}
    if value is False:
        return {}
    raise NotHereError("only PPO's critics learn normalised returns: type standardise_returns=False")


def team_reward(key: str, usual: Any) -> Any:
    """`common_reward` and `reward_scalarisation`: here the environments' own."""

    def translate(value: Any, flat: Flat) -> Mapping[str, Any]:
        if key in env_keys(flat):
            return {ENV_ARGS: {key: value}}
        if value == usual:
            return {}
        raise NotHereError(f"this environment has one reward for the team: type {key}={usual}")

    return translate


def env_keys(flat: Flat) -> set[str]:
    """What the chosen environment may be told; nothing where there is none such."""
    try:
        return set(ENVS.load(flat.get("env", "")).Settings.model_fields)
    except UserError:
        return set()


def _forgets(flat: Flat) -> bool:
    """Whether it is one of the two methods that learn from fresh episodes alone, without a memory."""
    return flat.get("learner") in (COMA, PPO)
