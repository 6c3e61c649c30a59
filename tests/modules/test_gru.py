import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from cohort.components.native import allow_native_code
from cohort.modules.gru import SequenceGRU

LENGTHS = {"equal": [6, 6, 6], "unequal": [6, 4, 4, 1], "one": [1]}


@pytest.fixture(autouse=True, params=[True, False], ids=["compiled", "torch alone"])
def way(request):
    """Everything holds with the loops in C, where there is a compiler, and without."""
    allow_native_code(request.param)
    yield
    allow_native_code(True)


def pack(padded, lengths):
    return pack_padded_sequence(padded, torch.tensor(lengths), batch_first=True)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_values_and_gradients_equal_torchs_gru(lengths):
    torch.manual_seed(0)
    ours = SequenceGRU(5, 4).double()
    theirs = nn.GRU(5, 4).double()
    theirs.load_state_dict(ours.state_dict())
    results = []
    for gru in (ours, theirs):
        torch.manual_seed(1)
        padded = torch.randn(len(lengths), 6, 5, dtype=torch.float64, requires_grad=True)
        memories = gru(pack(padded, lengths))
        memories = memories if gru is ours else memories[0].data
        (memories * torch.randn_like(memories)).sum().backward()
        results.append([memories, *(each.grad for each in (padded, *gru.parameters()))])
    for mine, reference in zip(*results, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-10, atol=1e-12)


def test_gradients_equal_finite_differences():
    torch.manual_seed(0)
    gru = SequenceGRU(3, 2).double()
    padded = torch.randn(3, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: gru(pack(x, [4, 2, 1])), padded)


def test_one_step_after_another_equals_the_whole_sequence():
    torch.manual_seed(0)
    gru = SequenceGRU(3, 2)
    padded = torch.randn(4, 5, 3)
    memory, single = None, []
    for t in range(5):
        memory = gru.step(padded[:, t], memory)
        single.append(memory)
    torch.testing.assert_close(torch.cat(single), gru(pack(padded, [5] * 4)))
