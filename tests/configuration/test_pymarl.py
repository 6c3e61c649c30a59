"""PyMARL's and EPyMARL's files and command lines: what they become, what is refused and how that is mended."""

from pathlib import Path

import pytest

from cohort.configuration import files
from cohort.configuration.layers import Sources
from cohort.configuration.plan import Plan, make_plan
from cohort.configuration.pymarl import table
from cohort.configuration.pymarl.names import NAMES
from cohort.configuration.pymarl.rows import Row
from cohort.configuration.updates import parse_updates
from cohort.errors import UserError
from cohort.learners.value.q_learner import QLearner, QLearnerSettings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "from_pymarl.md"
ROWS = {row.key: row for row in table.KEYS}
ENV_ROWS = {row.key: row for row in table.ENV_KEYS}

# every key of the two projects' default files: default.yaml, algs/*.yaml, envs/*.yaml
PYMARL_KEYS = """
runner mac env env_args batch_size_run test_nepisode test_interval test_greedy log_interval runner_log_interval
learner_log_interval t_max use_cuda buffer_cpu_only use_tensorboard save_model save_model_interval checkpoint_path
evaluate load_step save_replay local_results_path gamma batch_size buffer_size lr critic_lr optim_alpha optim_eps
grad_norm_clip agent rnn_hidden_dim obs_agent_id obs_last_action repeat_id label action_selector epsilon_start
epsilon_finish epsilon_anneal_time mask_before_softmax target_update_interval td_lambda agent_output_type learner
critic_q_fn critic_baseline_fn critic_train_mode critic_train_reps q_nstep name double_q mixer mixing_embed_dim
hypernet_layers hypernet_embed opt_loss nopt_min_loss network_size qtran_arch
"""
EPYMARL_KEYS = """
common_reward reward_scalarisation use_wandb wandb_team wandb_project wandb_mode wandb_save_model render
add_value_last_step hidden_dim hypergroup evaluation_epsilon target_update_interval_or_tau obs_individual_obs
standardise_returns standardise_rewards use_rnn entropy_coef critic_type epochs eps_clip reg initial_entropy_coef
final_entropy_coef entropy_end_ratio state_value_type cg_edges cg_utilities_hidden_dim cg_payoffs_hidden_dim
cg_payoff_rank duelling msg_anytime msg_iterations msg_normalized
"""
ENV_ARGS = """
difficulty game_version replay_dir replay_prefix seed heuristic_ai heuristic_rest debug key map_name
pretrained_wrapper use_cpp_rvo2 conic_fov obs_own_pos use_unit_ranges min_attack_range num_fov_actions
capability_config
"""  # beside those that our sc2 declares under the same names

QMIX = """
action_selector: "epsilon_greedy"
epsilon_anneal_time: 50000
runner: "episode"
buffer_size: 5000
target_update_interval: 200
agent_output_type: "q"
learner: "q_learner"
double_q: True
mixer: "qmix"
mixing_embed_dim: 32
hypernet_layers: 2
hypernet_embed: 64
name: "qmix"
"""
COMA = """
action_selector: "multinomial"
epsilon_start: .5
epsilon_finish: .01
epsilon_anneal_time: 100000
runner: "parallel"
buffer_size: 8
batch_size_run: 8
batch_size: 8
target_update_interval: 200
critic_lr: 0.0004
td_lambda: 0.8
agent_output_type: "pi_logits"
learner: "coma_learner"
critic_q_fn: "coma"
critic_train_mode: "seq"
q_nstep: 0
name: "coma"
"""
EPYMARL_IQL = """
action_selector: "epsilon_greedy"
evaluation_epsilon: 0.0
runner: "episode"
buffer_size: 5000
target_update_interval_or_tau: 200
hidden_dim: 128
obs_individual_obs: False
learner: "q_learner"
standardise_returns: False
standardise_rewards: True
use_rnn: True
mixer:
name: "iql"
"""
EPYMARL_IPPO = """
action_selector: "soft_policies"
mask_before_softmax: True
runner: "parallel"
buffer_size: 10
batch_size_run: 10
batch_size: 10
target_update_interval_or_tau: 0.01
lr: 0.0003
hidden_dim: 128
learner: "ppo_learner"
standardise_rewards: True
use_rnn: True
q_nstep: 5
critic_type: "ac_critic"
epochs: 4
eps_clip: 0.2
name: "ippo"
"""


@pytest.fixture
def planned(tmp_path):
    """The plan of an algorithm's file with this text."""

    def plan(text: str, typed: str = "", env: str = "sc2_sim") -> Plan:
        path = tmp_path / "theirs.yaml"
        path.write_text(text)
        return make_plan(Sources.read(str(path), env, parse_updates(typed.split())))

    return plan


def part(plan: Plan, **expected: object) -> None:
    assert {key: plan.config.get(key) for key in expected} == expected


def test_every_key_of_both_projects_is_in_the_table():
    assert set((PYMARL_KEYS + EPYMARL_KEYS).split()) - set(ROWS) == set()
    assert set(ENV_ARGS.split()) == set(ENV_ROWS)


def test_the_page_shows_the_table():
    assert table.markdown() in PAGE.read_text(), (
        "print it: python -c 'from cohort.configuration.pymarl import table; ...'"
    )


@pytest.mark.parametrize("row", [row for row in table.KEYS if row.translate is None], ids=lambda row: row.key)
def test_what_is_the_same_is_read_by_somebody(row: Row):
    from tests.configuration.test_declarations import declared_keys

    assert row.key in declared_keys()


def test_names_of_theirs_are_no_names_of_ours():
    ours = {*files.names("--config"), *files.names("--env-config")}
    assert {name for name in NAMES if name in ours} == set()
    with pytest.raises(
        UserError, match=r"--config=qmix_ns is not a name here: type --config=qmix with agent=own_rnn"
    ):
        files.find("--config", "qmix_ns")
    with pytest.raises(UserError, match=r"type --env-config=gymnasium\.$"):
        files.find("--env-config", "gymma")


def test_pymarls_qmix_is_our_qmix_with_one_game_and_one_update_for_each_episode(planned):
    plan = planned(QMIX)
    part(
        plan,
        runner="in_process",
        batch_size_run=1,
        updates_per_episode=1.0,
        mixer="qmix",
        optimizer="rmsprop",
    )
    ours = make_plan(Sources.read("qmix", "sc2_sim", {})).config
    differing = {key for key in ours if ours[key] != plan.config[key]}
    assert differing == {"batch_size_run"}


def test_a_file_without_a_mixer_is_independent_and_one_without_hypernet_layers_has_one(planned):
    part(planned('learner: "q_learner"\nmixer: # none\nname: iql\n'), mixer="independent")
    part(planned("learner: q_learner\nmixer: qmix\nmixing_embed_dim: 32\nname: qmix\n"), hypernet_layers=1)


@pytest.mark.parametrize(
    ("typed", "games", "updates"),
    [
        ("runner=parallel batch_size_run=8", 8, 0.125),
        ("runner=episode", 1, 1.0),
        ("runner=parallel batch_size_run=4 updates_per_episode=1", 4, 1),
    ],
)  # fmt: skip
def test_runners_of_pymarl_are_typed_as_there(typed, games, updates):
    plan = make_plan(Sources.read("qmix", "sc2_sim", parse_updates(typed.split())))
    part(plan, runner="in_process", batch_size_run=games, updates_per_episode=updates)


def test_pymarls_coma_explores_learns_and_copies_as_there(planned):
    plan = planned(COMA)
    part(plan, batch_size_run=8, action_selector="epsilon_sampling", epsilon_start=0.5, entropy_coef=0.0)
    part(
        plan, critic_lr=0.0004, td_lambda=0.8, target_update_updates=25
    )  # 200 steps of the critic, 8 an update
    assert not {"batch_size", "buffer_size", "runner_log_interval", "q_nstep"} & set(plan.config)


def test_epymarls_value_methods(planned):
    plan = planned(EPYMARL_IQL)
    part(
        plan,
        optimizer="adam",
        optim_eps=1e-8,
        rnn_hidden_dim=128,
        standardise_rewards=True,
        mixer="independent",
    )
    part(plan, target_mode="hard", target_update_interval=200, batch_size_run=1)
    part(
        planned(EPYMARL_IQL, "target_update_interval_or_tau=0.01"),
        target_mode="soft",
        target_update_rate=0.01,
    )
    own = planned(EPYMARL_IQL, "mac=non_shared_mac agent=rnn_ns use_rnn=False")
    part(own, mac="basic_mac", agent="own_mlp", agent_hidden_dims=[128, 128], agent_activation="relu")
    part(planned(EPYMARL_IQL, "agent=rnn_ns"), agent="own_rnn", rnn_hidden_dim=128)


def test_every_key_that_stands_in_the_way_is_told_at_once_and_mended_by_what_is_told(planned):
    with pytest.raises(UserError) as refused:
        planned(EPYMARL_IPPO)
    told = str(refused.value).splitlines()
    assert [line.split(" ")[0] for line in told] == ["standardise_rewards", "q_nstep"]
    assert all("theirs.yaml): " in line and ": type " in line for line in told)
    plan = planned(EPYMARL_IPPO, "standardise_rewards=False q_nstep=0 gae_lambda=0.9")
    part(plan, critic="state_value", critic_inputs="obs", critic_network="mlp", critic_hidden_dim=128)
    part(plan, clip_range=0.2, epochs=4, critic_lr=0.0003, gae_lambda=0.9, normalise_values=False)


def test_tests_are_greedy_or_drawn_as_there(planned, tmp_path):
    """PyMARL's key is ours. EPyMARL's soft policies draw in tests whatever it says, as in its environments' files."""
    part(planned(QMIX), test_greedy=True)
    part(planned(QMIX, "test_greedy=False"), test_greedy=False)
    part(planned(COMA), test_greedy=True, action_selector="epsilon_sampling")
    part(planned(COMA + "test_greedy: False\n"), test_greedy=False)
    path = tmp_path / "gymma.yaml"
    path.write_text("env: gymma\nenv_args:\n  key: lbforaging:Foraging-8x8-2p-3f-v3\ntest_greedy: True\n")
    mended = "standardise_rewards=False q_nstep=0"
    part(planned(EPYMARL_IPPO, mended, env=str(path)), test_greedy=False, action_selector="sampling")
    part(planned(EPYMARL_IPPO, f"{mended} test_greedy=True", env=str(path)), test_greedy=True)
    part(planned(EPYMARL_IQL, env=str(path)), test_greedy=True)


@pytest.mark.parametrize(
    ("typed", "told", "mended"),
    [
        ("evaluation_epsilon=0.05", "type evaluation_epsilon=0", "evaluation_epsilon=0"),
        ("standardise_returns=True", "type standardise_returns=False", "standardise_returns=False"),
        ("wandb_save_model=True", "type wandb_save_model=False", "use_wandb=True wandb_project=None"),
        ("env_args.seed=3", "type seed=<number>", "seed=3"),
        ("env_args.difficulty=A", "env_args.difficulty=7", "env_args.difficulty=7"),
        ("env_args.heuristic_ai=True", "env_args.heuristic_ai=False", "env_args.heuristic_ai=False"),
        ("common_reward=False", "type common_reward=True", "common_reward=True reward_scalarisation=sum"),
        ("learner=qtran_learner", "QTRAN is not here", "learner=q_learner opt_loss=1"),
        ("env=smaclite", "type --env-config=smaclite", "env=sc2_sim"),
        ("target_update_interval_or_tau=-1", "type target_update_interval", "target_update_interval_or_tau=0.5"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_refused_with_what_to_type(planned, typed, told, mended):
    if typed == "learner=qtran_learner":
        text = QMIX.replace("q_learner", "qtran_learner")
        with pytest.raises(UserError, match="QTRAN is not here: type --config=qmix"):
            planned(text)
    else:
        with pytest.raises(UserError, match=told):
            planned(QMIX, typed)
    planned(QMIX, mended)


@pytest.mark.parametrize(
    "words", ["runner_log_interval=10000 learner_log_interval=10000 repeat_id=3 hypergroup=None"]
)
def test_what_changes_nothing_changes_nothing(planned, words):
    assert planned(QMIX, words) == planned(QMIX)


def test_rewards_of_a_team_belong_to_the_environment(planned):
    config = planned(QMIX, "common_reward=True reward_scalarisation=mean", env="gymnasium").config
    assert config["env_args"]["reward_scalarisation"] == "mean"


def test_smacs_file_of_pymarl(tmp_path):
    arguments = {
        "difficulty": '"7"',
        "game_version": "null",
        "seed": "null",
        "heuristic_rest": "False",
        "replay_dir": '""',
    }
    text = "env: sc2\nenv_args:\n" + "".join(f"  {key}: {value}\n" for key, value in arguments.items())
    path = tmp_path / "sc2.yaml"
    path.write_text(
        text + '  map_name: "3m"\ntest_greedy: True\ntest_interval: 10000\nlearner_log_interval: 10000\n'
    )
    plan = make_plan(Sources.read("qmix", str(path), {}))
    assert plan.config["env_args"]["difficulty"] == "7"
    part(plan, env="sc2", test_interval=10000)
    simulated = make_plan(Sources.read("qmix", str(path), {"env": "sc2_sim"}))
    assert simulated.config["env_args"]["map_name"] == "3m"


def test_an_empty_key_is_to_be_typed(tmp_path):
    path = tmp_path / "gymma.yaml"
    path.write_text("env: gymma\nenv_args:\n  key: null\n  time_limit: 100\n  pretrained_wrapper: null\n")
    with pytest.raises(UserError, match=r"needs the key 'env_args.key'"):
        make_plan(Sources.read("qmix", str(path), {}))
    typed = {"env_args": {"key": "lbforaging:Foraging-8x8-2p-3f-v3"}}
    assert make_plan(Sources.read("qmix", str(path), typed)).config["env"] == "gymnasium"


class NStepSettings(QLearnerSettings):
    q_nstep: int
    hidden_dim: int


class NStepLearner(QLearner):
    Settings = NStepSettings


def test_a_key_that_a_component_declares_is_its_own(planned):
    text = f"extends: qmix\nlearner: {__name__}:NStepLearner\nq_nstep: 5\nhidden_dim: 7\nname: mine\n"
    part(planned(text), q_nstep=5, hidden_dim=7, rnn_hidden_dim=64)


@pytest.mark.parametrize("key", ["lambda_td_x", "wandb", "use_amp"])
def test_hints_are_near_or_not_given(planned, key):
    with pytest.raises(UserError) as refused:
        planned(QMIX, f"{key}=1")
    assert "Did you mean" not in str(refused.value)
