"""Compiled functions beside the functions themselves."""

import shutil

import pytest
import torch

from cohort.components.compiled import Compiled

from .test_recorded import Pair, arguments, program

needs_a_compiler = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")), reason="needs a C++ compiler"
)


@needs_a_compiler
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_numbers_and_forms_are_the_functions_own(mode):
    calls = []

    def counted(*given):
        calls.append(1)
        return program(*given)

    compiled = Compiled(counted, {"realize_reads_threshold": 0})
    for seed in range(4):
        with mode():
            given = arguments(seed)
            torch.testing.assert_close(compiled(*given), program(*given), rtol=1e-6, atol=1e-6)
    assert len(calls) == 1
    assert type(compiled(*given)[0]) is Pair


@needs_a_compiler
def test_arguments_may_lie_in_memory_in_any_way():
    """The compiled program does not ask."""
    compiled = Compiled(lambda a, b: a - 2 * b)
    a, b = torch.arange(12.0).view(3, 4), torch.randn(3, 4)
    row = torch.randn(1, 4)
    for one, other in (
        (a, b),
        (a.T.contiguous().T, b),
        (a, row.expand(3, 4)),
        (torch.randn(6, 8)[::2, ::2], b),
    ):
        torch.testing.assert_close(compiled(one, other), one - 2 * other)


def test_options_reach_the_compiler():
    with pytest.raises(AttributeError, match="no_such"):
        Compiled(program, {"no_such": 1})(*arguments(0))


def test_what_depends_on_a_number_is_not_compiled():
    with pytest.raises(RuntimeError, match="tracing"):
        Compiled(lambda pair: pair.left if pair.left.sum() > 0 else pair.right)(arguments(0)[0])
