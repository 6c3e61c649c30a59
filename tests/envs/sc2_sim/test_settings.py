"""What settings refuse."""

import pytest
from pydantic import ValidationError

from cohort.envs.sc2_sim.settings import SC2SimSettings


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
