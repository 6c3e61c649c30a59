"""Which curves are dashed because they would hide others."""

from collections.abc import Sequence

import numpy as np
import pytest

from cohort.analysis.curves import Curve
from cohort.analysis.overlaps import UNIT, dashes


def curve(*values: float, x: Sequence[float] | None = None) -> Curve:
    places = np.arange(len(values), dtype=float) if x is None else np.array(x, dtype=float)
    return Curve((None,), places, np.array(values, dtype=float), None, None, float(places[-1]))  # type: ignore[arg-type]


def test_equal_curves_show_in_one_unit_each() -> None:
    line = curve(0, 1, 2, 3)
    found = dashes([{"a": line, "b": line, "far": curve(3, 2, 1, 0), "c": line}])
    assert found == {"b": (2 * UNIT, UNIT), "c": (UNIT, 2 * UNIT)}


@pytest.mark.parametrize(
    ("other", "dashed"),
    [
        (curve(0, 0, 0, 0, 1, 2, 3, 4), True),  # half the way together
        (curve(0, 1, 2, 3, 4, 5, 5, 7), False),  # one point in common
        (curve(0.0, 8.0, x=[0, 7]), False),  # read between its ends
        (curve(0.0, 0.0, x=[0, 3]), True),  # a shorter one
        (curve(5.0, 5.0, x=[20, 30]), False),  # elsewhere
        (curve(*[0.02] * 4, 4, 4, 4, 4), True),  # nearer than a line is wide
        (curve(*[0.3] * 4, 4, 4, 4, 4), False),
    ],
)
def test_curves_coincide_where_they_are_near_on_a_quarter_of_the_way(other: Curve, dashed: bool) -> None:
    found = dashes([{"first": curve(0, 0, 0, 0, 6, 6, 6, 6), "second": other}])
    assert ("second" in found) is dashed


def test_a_curve_is_dashed_in_all_panels_if_it_hides_another_in_one() -> None:
    found = dashes([{"a": curve(0, 1), "b": curve(1, 0)}, {"a": curve(0, 1), "b": curve(0, 1)}, {}])
    assert found == {"b": (UNIT, UNIT)}
    assert dashes([]) == {}
