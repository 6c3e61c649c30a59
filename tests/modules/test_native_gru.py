"""The GRU whose loops are C beside the one that torch does, and what happens where there is no compiler."""

import copy
import subprocess
import warnings

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence

from cohort.components import native
from cohort.modules import native_gru
from cohort.modules.gru import SequenceGRU

COMPILES = native_gru.is_available(torch.empty(0))
needs_a_compiler = pytest.mark.skipif(not COMPILES, reason="there is no C compiler here")


def sequences(lengths, size, dtype):
    """Packed rows of sequences of these lengths, longest first."""
    lengths = torch.tensor(sorted(lengths, reverse=True))
    sizes = (torch.arange(int(lengths[0]))[:, None] < lengths).sum(dim=1)
    return PackedSequence(torch.randn(int(sizes.sum()), size, dtype=dtype, requires_grad=True), sizes)


def results(gru, packed):
    """Memories, and the derivatives of their sum in random weights by inputs and parameters."""
    memories = gru(packed)
    weights = torch.randn(memories.shape, generator=torch.Generator().manual_seed(1), dtype=memories.dtype)
    return [memories, *torch.autograd.grad((memories * weights).sum(), [packed.data, *gru.parameters()])]


@pytest.fixture
def torch_alone():
    """Calls a function as where nothing may be compiled."""

    def call(function, *arguments):
        native.allow_native_code(False)
        try:
            return function(*arguments)
        finally:
            native.allow_native_code(True)

    return call


LENGTHS = {"one block": [7, 3, 1], "several": [*range(1, 41)] * 2, "equal": [5] * 24, "one step": [1] * 30}


@needs_a_compiler
@pytest.mark.parametrize("sizes", [(3, 5), (20, 64), (64, 16), (33, 40)], ids=str)
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-13)], ids=str)
def test_numbers_are_those_of_torch(sizes, lengths, dtype, tolerance, torch_alone):
    torch.manual_seed(0)
    gru = SequenceGRU(*sizes).to(dtype)
    packed = sequences(lengths, sizes[0], dtype)
    for ours, theirs in zip(results(gru, packed), torch_alone(results, gru, packed), strict=True):
        assert ours.dtype == dtype
        assert (ours - theirs).norm() <= tolerance * theirs.norm()


@needs_a_compiler
def test_gradients_equal_finite_differences():
    torch.manual_seed(0)
    gru = SequenceGRU(3, 5).double()
    packed = sequences([4, 2, 1], 3, torch.float64)

    def memories(rows, *parameters):
        return torch.func.functional_call(
            gru, dict(zip(names, parameters, strict=True)), (packed._replace(data=rows),)
        )

    names = [name for name, _ in gru.named_parameters()]
    assert torch.autograd.gradcheck(memories, (packed.data, *gru.parameters()))


@needs_a_compiler
def test_values_are_the_same_whether_a_gradient_is_wanted_or_not():
    gru, packed = SequenceGRU(6, 16), sequences([9, 4, 4], 6, torch.float32)
    wanted = gru(packed)
    with torch.no_grad():
        assert torch.equal(gru(packed), wanted)
    assert wanted.requires_grad


@needs_a_compiler
def test_a_sequence_reads_the_same_beside_others():
    gru = SequenceGRU(6, 32)
    many = sequences([8] * 61, 6, torch.float32)
    alone = many.data.view(8, 61, 6)[:, 37].contiguous()
    with torch.no_grad():
        whole = gru(many).view(8, 61, 32)[:, 37]
        after = native_gru.memories(alone, torch.ones(8, dtype=torch.int64), *gru._flat_weights)
    torch.testing.assert_close(whole, after, rtol=1e-6, atol=1e-7)


@needs_a_compiler
def test_extreme_inputs_saturate_and_what_is_not_a_number_stays_visible():
    gru = SequenceGRU(2, 16)
    sizes = torch.tensor([3])
    for extreme in (1e30, -1e30, float("inf")):
        rows = torch.full((3, 2), extreme)
        with torch.no_grad():
            read = gru(PackedSequence(rows, sizes))
        if extreme != float("inf"):  # inf - inf in the product is not a number
            assert read.isfinite().all()
            assert read.abs().max() <= 1
    with torch.no_grad():
        read = gru(PackedSequence(torch.tensor([[0.0, 0.0], [float("nan"), 0.0], [0.0, 0.0]]), sizes))
    assert read[1].isnan().all()
    assert read[[0, 2]].isfinite().all()


@needs_a_compiler
def test_a_copy_computes_for_itself_and_weights_may_be_views():
    torch.manual_seed(0)
    gru, packed = SequenceGRU(4, 16), sequences([5, 2], 4, torch.float32)
    other = copy.deepcopy(gru)
    other.load_state_dict(gru.state_dict())
    before = gru(packed)
    with torch.no_grad():
        other.weight_hh_l0.zero_()
        gru.weight_hh_l0.data = gru.weight_hh_l0.t().contiguous().t()  # the same numbers, not contiguous
    assert torch.equal(gru(packed), before)
    assert not torch.equal(other(packed), before)


def _broken(folder):
    compiler = folder / "cc"
    compiler.write_text("#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
    compiler.chmod(0o755)
    return str(compiler)


@pytest.mark.parametrize("how", ["none", "broken"])
def test_without_a_compiler_torch_does_it_with_one_warning_at_most(how, tmp_path, monkeypatch, torch_alone):
    monkeypatch.setenv("CC", _broken(tmp_path) if how == "broken" else str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    gru, packed = SequenceGRU(4, 16), sequences([5, 2], 4, torch.float32)
    native._library.cache_clear()
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            found = [results(gru, packed) for _ in range(2)]
    finally:
        native._library.cache_clear()
    assert len(warned) == (how == "broken")
    assert not warned or "no space left" in str(warned[0].message)
    for mine, reference in zip(found[1], torch_alone(results, gru, packed), strict=True):
        assert torch.equal(mine, reference)


@needs_a_compiler
def test_a_library_is_compiled_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls, run = [], subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: (calls.append(a), run(*a, **k))[1])
    for _ in range(2):
        native._library.cache_clear()
        assert native_gru.is_available(torch.empty(0))
    native._library.cache_clear()
    assert len(calls) == 1
    assert [each.suffix for each in (tmp_path / "cohort").iterdir()] == [".so"]


@needs_a_compiler
def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort").chmod(0o777)
    assert native._cache_folder() is None
