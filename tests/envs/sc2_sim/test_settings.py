"""What settings refuse."""

import pytest
from pydantic import ValidationError

from cohort.configuration.plan import Sources, make_plan
from cohort.envs.sc2_sim.settings import SC2SimSettings
from cohort.errors import UserError


@pytest.mark.parametrize(
    "bad",
    [
        {"map_name": "4m"},
        {"step_mul": 0},
        {"step_mul": 9},
        {"move_amount": 0.0},
        {"reward_scale_rate": 0.0},
        {"reward_defeat": 1.0},
        {"reset_noise": -0.1},
        {"reward_sparse": True, "reward_ader_sparse": True},
        {"obs_instead_of_state": True, "state_timestep_number": True},
        {"continuing_episode": "false"},
        {"difficulty": "7"},
    ],
)
def test_bad_values_are_refused(bad):
    with pytest.raises(ValidationError):
        SC2SimSettings(**bad)


def test_every_setting_says_what_it_does():
    assert all(field.description for field in SC2SimSettings.model_fields.values())


@pytest.mark.parametrize("env", ["sc2_sim", "sc2"])
def test_the_sparse_files_are_the_same_games_with_aders_reward(env):
    """Sections for `sc2_sim` and its maps hold for `sc2_sim_sparse` too, whose class is the same."""
    typed = {"env_args": {"map_name": "5m_vs_6m"}}
    for algorithm in ("qmix", "ader"):
        sparse, dense = (Sources.read(algorithm, name, typed).merged() for name in (f"{env}_sparse", env))
        how_long = {"t_max", "test_interval", "log_interval", "env_args"}
        assert {key: value for key, value in sparse.items() if key not in how_long} == {
            key: value for key, value in dense.items() if key not in how_long
        }
        assert sparse["env_args"] == dense["env_args"] | {"reward_ader_sparse": True}
    with pytest.raises(UserError, match="reward_sparse and reward_ader_sparse exclude each other"):
        make_plan(Sources.read("qmix", f"{env}_sparse", {"env_args": {"reward_sparse": True}}))
