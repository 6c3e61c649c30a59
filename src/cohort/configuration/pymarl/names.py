"""Names of PyMARL's and EPyMARL's files that have no file here -> what to type. Data only."""

_PARALLEL = "with runner=parallel batch_size_run=8"
_NS = "with agent=own_rnn obs_agent_id=False, for networks of each agent's own"
# names behind --config and --env-config -> what to type
NAMES: dict[str, str] = {
    **{f"{name}_beta": f"--config={name} {_PARALLEL}" for name in ("qmix", "vdn", "iql")},
    **{f"{name}_ns": f"--config={name} {_NS}" for name in ("qmix", "vdn", "iql", "coma", "mappo", "ippo")},
    "qtran": "--config=qmix; QTRAN is not here",
    **dict.fromkeys(("maa2c", "maa2c_ns"), "--config=mappo; A2C is not here"),
    **dict.fromkeys(("ia2c", "ia2c_ns"), "--config=ippo; A2C is not here"),
    "maddpg_ns": "--config=maddpg, which has networks of each agent's own",
    **dict.fromkeys(("pac_ns", "pac_dcg_ns"), "--config=mappo; PAC is not here"),
    "sc2_beta": f"--env-config=sc2 {_PARALLEL}",
    "gymma": "--env-config=gymnasium",
    "sc2v2": "--env-config=smacv2_sim, or sc2_gen_terran, _protoss, _zerg with the game",
}
