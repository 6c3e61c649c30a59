"""What a run's team is asked to do, in one word."""

import pytest

from cohort.configuration.task import task_name


@pytest.mark.parametrize(
    ("env_args", "name"),
    [
        ({"map_name": "3m"}, "3m"),
        ({"key": "mpe2.simple_spread_v3"}, "mpe2.simple_spread_v3"),
        ({"scenario": "Ant", "agent_conf": "2x4"}, "Ant-2x4"),
        ({"scenario": "ManySegmentSwimmer", "agent_conf": None}, "ManySegmentSwimmer-None"),
        ({"scenario": "balance"}, "balance"),
        ({"entry_point": "games:Corridor"}, "Corridor"),
        ({"entry_point": "games:Corridor", "kwargs": {"map_name": "long"}}, "long"),
        (
            {"entry_point": "gymnasium:make", "kwargs": {"id": "smaclite:smaclite/2s3z-v0"}},
            "smaclite:smaclite/2s3z-v0",
        ),
        ({}, "spread"),
        (None, "spread"),
    ],
)
def test_what_a_task_is_called(env_args, name):
    assert task_name({"env": "spread", "env_args": env_args}) == name
