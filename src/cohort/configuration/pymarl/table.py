"""The table: every key of PyMARL's and EPyMARL's default files and what becomes of it here. Data only."""

from typing import Any

from cohort.configuration.pymarl import computed as by
from cohort.configuration.pymarl.names import NAMES
from cohort.configuration.pymarl.rows import Row, computed, dropped, only, renamed, same, worded

_QTRAN, _PAC = "QTRAN's, which is not here", "PAC's, which is not here"
_SMACV2 = "SMACv2's: --env-config=smacv2_sim, or sc2_gen_terran, _protoss, _zerg"
_SMACV2_GAMES = (
    "SMACv2: type --env-config=smacv2_sim (no StarCraft needed), or sc2_gen_terran, _protoss or _zerg"
)
_OWN = "with `agent: rnn_ns`, networks of each agent's own"

KEYS: tuple[Row, ...] = (
    # the run: PyMARL's default.yaml
    computed(
        "runner",
        "`episode`: `runner: in_process` with `batch_size_run: 1`; `parallel`: with the file's `batch_size_run`. "
        "Either way one update follows each batch of episodes (`updates_per_episode: 1 / batch_size_run`), as there",
        by.runner,
        ours=True,
    ),
    worded("mac", f"`non_shared_mac`: `basic_mac`, {_OWN}", {"non_shared_mac": {"mac": "basic_mac"}}),
    worded("env", "`gymma`: `gymnasium`; the same otherwise", {"gymma": {"env": "gymnasium"}}),
    same("env_args", "the same; `env_args.seed` is the run's `seed`"),
    same("batch_size_run"),
    same("test_nepisode", "the same, and exactly so many"),
    same("test_interval"),
    same(
        "test_greedy",
        "the same: `False` draws in tests, by the policy's own chances without epsilon; methods of utilities have none "
        "and are greedy either way",
    ),
    same("log_interval"),
    dropped("runner_log_interval", "`log_interval` is for all metrics of training"),
    dropped("learner_log_interval", "`log_interval` is for all metrics of training"),
    same("t_max"),
    same("use_cuda"),
    same("buffer_cpu_only"),
    same("use_tensorboard"),
    same("save_model"),
    same("save_model_interval"),
    same("checkpoint_path", "the same: a models folder, a run or one model"),
    same("evaluate"),
    same("load_step"),
    same("save_replay"),
    same("local_results_path"),
    same("seed"),
    same("name"),
    same("label"),
    dropped("repeat_id", "no code of theirs reads it either; `seed` tells runs apart"),
    dropped("hypergroup", "EPyMARL's search writes it for itself; here a sweep's summary has its runs"),
    # learning: PyMARL's default.yaml
    same("gamma"),
    computed(
        "batch_size", "the same; COMA and PPO have `batch_size_run` alone", by.batch("batch_size"), ours=True
    ),
    computed(
        "buffer_size",
        "the same; COMA and PPO have `batch_size_run` alone",
        by.batch("buffer_size"),
        ours=True,
    ),
    same("lr"),
    same("critic_lr", "the same, of the methods that have a critic"),
    same("optim_alpha", "the same; COMA's and PPO's optimisers are Adam"),
    same("optim_eps"),
    same("grad_norm_clip"),
    same(
        "optimizer",
        "the same (PyMARL2's): `rmsprop` or `adam`, of the value family; EPyMARL's files mean `adam`",
    ),
    computed(
        "agent", "`rnn`; `rnn_ns`: `own_rnn`; with `use_rnn: False` `mlp` and `own_mlp`", by.agent, ours=True
    ),
    same("rnn_hidden_dim"),
    same("obs_agent_id"),
    same("obs_last_action"),
    # algorithms
    worded(
        "action_selector",
        "`epsilon_greedy`; `multinomial`: `epsilon_sampling`; `soft_policies`: `sampling` with `test_greedy: False`: "
        "it draws in tests too, whatever `test_greedy` says there",
        {
            "multinomial": {"action_selector": "epsilon_sampling"},
            "soft_policies": {"action_selector": "sampling", "test_greedy": False},
        },
    ),
    same("epsilon_start"),
    same("epsilon_finish"),
    same("epsilon_anneal_time"),
    only(
        "mask_before_softmax",
        (True,),
        "what cannot be done is masked before the softmax: type mask_before_softmax=True",
    ),
    computed(
        "target_update_interval",
        "the same, episodes; COMA: `target_update_updates`, of `critic_updates` steps each",
        by.target_update_interval,
        ours=True,
    ),
    same("td_lambda", "the same, of COMA and of the value family (there it is PyMARL2's)"),
    dropped("agent_output_type", "`learner` decides it, and a `head` that does not fit is refused"),
    same(
        "learner",
        "`q_learner`, `coma_learner`, `ppo_learner`: a file stands on our `value`, `coma`, `mappo`; no others are here",
    ),
    dropped("critic_q_fn", "no code of theirs reads it either"),
    dropped("critic_baseline_fn", "no code of theirs reads it either"),
    dropped(
        "critic_train_mode", "no code of theirs reads it either; `critic_updates` are COMA's critic steps"
    ),
    dropped(
        "critic_train_reps", "no code of theirs reads it either; `critic_updates` are COMA's critic steps"
    ),
    only(
        "q_nstep",
        (0,),
        "returns are TD(lambda) in COMA and GAE in PPO: type q_nstep=0, and td_lambda=0.8 or gae_lambda=0.95",
    ),
    same("double_q"),
    worded("mixer", "nothing: `independent`; the same otherwise", {None: {"mixer": "independent"}}),
    same("mixing_embed_dim"),
    same("hypernet_layers"),
    same("hypernet_embed"),
    dropped("qtran_arch", _QTRAN),
    dropped("opt_loss", _QTRAN),
    dropped("nopt_min_loss", _QTRAN),
    dropped("network_size", _QTRAN),
    # EPyMARL's
    computed("common_reward", "`env_args.common_reward`", by.team_reward("common_reward", True)),
    computed(
        "reward_scalarisation",
        "`env_args.reward_scalarisation`",
        by.team_reward("reward_scalarisation", "sum"),
    ),
    computed(
        "hidden_dim", "`rnn_hidden_dim`, or `agent_hidden_dims` twice; `critic_hidden_dim`", by.hidden_dim
    ),
    computed("use_rnn", "see `agent`", by.use_rnn),
    computed(
        "target_update_interval_or_tau",
        "above 1: `target_update_interval`, in episodes; else `target_mode: soft` with `target_update_rate`. PPO has "
        "no target critic here",
        by.interval_or_tau,
    ),
    only("evaluation_epsilon", (0,), "methods of utilities are tested greedily: type evaluation_epsilon=0"),
    computed(
        "standardise_rewards",
        "the same, by all rewards that the replay memory holds; of COMA and PPO `False` alone",
        by.standardise_rewards,
        ours=True,
    ),
    computed("standardise_returns", "PPO: `normalise_values`; `False` otherwise", by.standardise_returns),
    only("obs_individual_obs", (False,), "critics read what each is said to: type obs_individual_obs=False"),
    only(
        "add_value_last_step",
        (True,),
        "an episode that is cut off is always valued: type add_value_last_step=True",
    ),
    same("entropy_coef"),
    same("epochs"),
    renamed("eps_clip", "clip_range"),
    computed(
        "critic_type",
        "`coma_critic`, `cv_critic` (MAPPO's), `ac_critic` (IPPO's); none with weights of each agent's own (`_ns`)",
        by.critic_type,
    ),
    same("use_wandb"),
    same("wandb_team"),
    worded("wandb_project", "the same; empty: `cohort`", {None: {"wandb_project": "cohort"}}),
    same("wandb_mode"),
    only("wandb_save_model", (False,), "models lie in the run's folder: type wandb_save_model=False"),
    only(
        "render",
        (False,),
        "a game is filmed, or watched in the terminal: type save_replay=True, or run.py watch",
    ),
    dropped("reg", "of MADDPG for discrete actions, which is not here"),
    *(dropped(key, _PAC) for key in ("initial_entropy_coef", "final_entropy_coef", "entropy_end_ratio")),
    *(dropped(key, _PAC) for key in ("state_value_type", "cg_edges", "cg_utilities_hidden_dim")),
    *(dropped(key, _PAC) for key in ("cg_payoffs_hidden_dim", "cg_payoff_rank", "duelling")),
    *(dropped(key, _PAC) for key in ("msg_anytime", "msg_iterations", "msg_normalized")),
)

_REAL = "the simulator has none: type env=sc2, the real game, or"

# keys under env_args that the chosen environment does not declare
ENV_KEYS: tuple[Row, ...] = (
    only("seed", (None,), "every game's seed follows from the run's: type seed=<number> instead"),
    dropped("key", "the same; where a file leaves it empty, env_args.key=<id> is to be typed"),
    dropped("map_name", "the same; where a file leaves it empty, the environment's usual map"),
    only("difficulty", ("7", 7), f"{_REAL} env_args.difficulty=7"),
    only("game_version", (None,), f"{_REAL} env_args.game_version=None"),
    only("heuristic_ai", (False,), f"{_REAL} env_args.heuristic_ai=False"),
    only("heuristic_rest", (False,), f"{_REAL} env_args.heuristic_rest=False"),
    only("debug", (False,), f"{_REAL} env_args.debug=False"),
    only(
        "replay_dir",
        ("",),
        "videos lie in the run's folder, with evaluate=True save_replay=True: type env_args.replay_dir=''",
    ),
    only("replay_prefix", ("",), "videos are named after the step: type env_args.replay_prefix=''"),
    only(
        "pretrained_wrapper", (None,), "all agents of the team learn: type env_args.pretrained_wrapper=None"
    ),
    only("use_cpp_rvo2", (False,), "SMAClite's: type env_args.use_cpp_rvo2=False"),
    *(dropped(key, _SMACV2) for key in ("conic_fov", "obs_own_pos", "use_unit_ranges")),
    *(dropped(key, _SMACV2) for key in ("min_attack_range", "num_fov_actions", "capability_config")),
)

_A2C = "A2C is not here: type --config=mappo, or --config=ippo for critics of single observations"
_MADDPG = (
    "EPyMARL's MADDPG learns from episodes and is not here: type --config=maddpg, which learns from steps"
)
# values that name a method or an environment which is not here
NOT_HERE: dict[str, dict[Any, str]] = {
    "learner": {
        "qtran_learner": "QTRAN is not here: type --config=qmix",
        "actor_critic_learner": _A2C,
        "maddpg_learner": _MADDPG,
        "pac_learner": "PAC is not here: type --config=mappo",
        "pac_dcg_learner": "PAC is not here: type --config=mappo",
    },
    "env": {
        "sc2v2": _SMACV2_GAMES,
        "sc2wrapped": _SMACV2_GAMES,
        "smaclite": "here it is one of PyMARL's games: type --env-config=smaclite",
    },
}


def markdown() -> str:
    """The table as docs/from_pymarl.md has it."""
    rows = [
        *((each.key, each.here) for each in KEYS),
        *((f"env_args.{each.key}", each.here) for each in ENV_KEYS),
    ]
    lines = [f"| `{key}` | {here} |" for key, here in rows]
    names = [f"| `{name}` | {typed} |" for name, typed in NAMES.items()]
    return "\n".join(
        ["| key | here |", "| --- | --- |", *lines, "", "| name | type |", "| --- | --- |", *names]
    )
