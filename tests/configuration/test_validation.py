"""From typed values to settings: what is plainly meant, and what is refused."""

import pytest
from pydantic import Field

from cohort.configuration.layers import Sources
from cohort.configuration.plan import make_plan
from cohort.configuration.updates import parse_updates
from cohort.settings import Settings


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("t_max=2e6", lambda plan: (plan.run.t_max, 2_000_000)),
        ("t_max=2.0", lambda plan: (plan.run.t_max, 2)),
        ("t_max=1_000", lambda plan: (plan.run.t_max, 1000)),
        ("lr=1e-4", lambda plan: (plan["learner"].settings.lr, 1e-4)),
        ("lr=1", lambda plan: (plan["learner"].settings.lr, 1.0)),
        ("use_cuda=false", lambda plan: (plan.run.use_cuda, False)),
        ("use_cuda=TRUE", lambda plan: (plan.run.use_cuda, True)),
        ("label=7", lambda plan: (plan.run.label, "7")),
        ("label=a=b", lambda plan: (plan.run.label, "a=b")),
    ],
)
def test_what_is_plainly_meant_is_taken(typed, read):
    value, expected = read(make_plan(Sources.read("qmix", "matrix_games", parse_updates([typed]))))
    assert value == expected
    assert type(value) is type(expected)


def test_settings_refuse_what_they_do_not_declare_and_never_change():
    class Mine(Settings):
        size: int = Field(ge=1)

    assert Mine(size=1).size == 1
    for wrong in ({"size": 1, "sise": 1}, {"size": "1"}, {"size": True}, {"size": 1.0}, {"size": 0}, {}):
        with pytest.raises(ValueError, match="Mine"):
            Mine(**wrong)
    with pytest.raises(ValueError, match="frozen"):
        Mine(size=1).size = 2
