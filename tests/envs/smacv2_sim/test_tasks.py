"""The tasks: names, sizes and what they say of themselves."""

import pytest
from pydantic import ValidationError

from cohort.envs.sc2_sim.layout import env_spec
from cohort.envs.smacv2_sim.facts import task_facts
from cohort.envs.smacv2_sim.settings import SMACv2SimSettings
from cohort.envs.smacv2_sim.tasks import TASKS, describe_tasks


@pytest.mark.parametrize(
    ("task", "obs", "state", "actions"),
    [  # as smacv2's get_env_info() has them
        ("terran_5_vs_5", 82, 120, 11),
        ("protoss_5_vs_5", 92, 130, 11),
        ("zerg_10_vs_10", 162, 290, 16),
        ("protoss_10_vs_11", 191, 327, 17),
        ("zerg_20_vs_23", 346, 858, 29),
    ],
)
def test_sizes(task, obs, state, actions):
    spec = env_spec(task_facts(task), SMACv2SimSettings(map_name=task))
    assert (spec.obs_dim, spec.state_dim, spec.n_actions, spec.episode_limit) == (obs, state, actions, 200)


def test_every_task_describes_itself():
    assert list(describe_tasks()) == list(TASKS)
    assert describe_tasks()["zerg_5_vs_5"] == (
        "Both sides drawn from 45% zerglings, 45% hydralisks and 10% banelings, at most 200 steps."
    )


def test_an_unknown_task_is_refused_with_the_nearest():
    with pytest.raises(ValidationError, match=r"unknown task 'terran_5_v_5'\. Did you mean 'terran_5_vs_5'"):
        SMACv2SimSettings(map_name="terran_5_v_5")
    with pytest.raises(ValidationError, match=r"unknown task '3m'\. SMACv2's tasks: "):
        SMACv2SimSettings(map_name="3m")


def test_every_setting_says_what_it_does():
    assert all(field.description for field in SMACv2SimSettings.model_fields.values())
