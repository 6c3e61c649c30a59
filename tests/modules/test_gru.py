import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from src.modules.gru import SequenceGRU

LENGTHS = {"equal": [6, 6, 6], "unequal": [6, 4, 4, 1], "one": [1]}


def pack(padded, lengths):
    return pack_padded_sequence(padded, torch.tensor(lengths), batch_first=True)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("with_memory", [False, True])
def test_values_and_gradients_equal_torchs_gru(with_memory, lengths):
    torch.manual_seed(0)
    ours = SequenceGRU(5, 4).double()
    theirs = nn.GRU(5, 4).double()
    theirs.load_state_dict(ours.state_dict())
    results = []
    for gru in (ours, theirs):
        torch.manual_seed(1)
        padded = torch.randn(len(lengths), 6, 5, dtype=torch.float64, requires_grad=True)
        first = torch.randn(1, len(lengths), 4, dtype=torch.float64, requires_grad=True)
        memories = gru(pack(padded, lengths), first if with_memory else None)[0]
        memories = memories.data if isinstance(memories, PackedSequence) else memories
        (memories * torch.randn_like(memories)).sum().backward()
        gradients = [each.grad for each in (padded, *gru.parameters(), *([first] if with_memory else []))]
        results.append([memories, *gradients])
    for mine, reference in zip(*results, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-10, atol=1e-12)


def test_gradients_equal_finite_differences():
    torch.manual_seed(0)
    gru = SequenceGRU(3, 2).double()
    padded = torch.randn(3, 4, 3, dtype=torch.float64, requires_grad=True)
    first = torch.randn(1, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, h: gru(pack(x, [4, 2, 1]), h)[0], (padded, first))


def test_one_step_after_another_equals_the_whole_sequence():
    torch.manual_seed(0)
    gru = SequenceGRU(3, 2)
    padded = torch.randn(4, 5, 3)
    whole, last = gru(pack(padded, [5] * 4))
    memory, single = None, []
    for t in range(5):
        out, memory = gru(pack(padded[:, t : t + 1], [1] * 4), memory)
        single.append(out)
    torch.testing.assert_close(torch.cat(single), whole)
    torch.testing.assert_close(memory, last)
