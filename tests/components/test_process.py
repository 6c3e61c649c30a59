"""What a process asks of its processor."""

import pytest
import torch

from cohort.components.process import subnormals_as_zeros


@pytest.fixture(autouse=True)
def _processors_that_can():
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot count subnormal numbers as zeros")


def products() -> tuple[float, float]:
    """Of a number that is subnormal, and of two whose product is."""
    tiny, small = torch.full((8, 8), 1e-40), torch.full((8, 8), 1e-20)
    return float((tiny * 1e10).sum()), float((small * small).sum())


def test_subnormal_numbers_are_zeros_within_and_numbers_outside():
    assert all(products())
    with subnormals_as_zeros():
        assert products() == (0, 0)
    assert all(products())


def test_an_error_ends_it_too():
    with pytest.raises(ZeroDivisionError), subnormals_as_zeros():
        raise ZeroDivisionError
    assert all(products())
