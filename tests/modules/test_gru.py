import pytest
import torch
from torch import nn

from src.modules.gru import SequenceGRU


@pytest.mark.parametrize("with_memory", [False, True])
def test_values_and_gradients_equal_torchs_gru(with_memory):
    torch.manual_seed(0)
    ours = SequenceGRU(5, 4).double()
    theirs = nn.GRU(5, 4).double()
    theirs.load_state_dict(ours.state_dict())
    results = []
    for gru in (ours, theirs):
        torch.manual_seed(1)
        inputs = torch.randn(6, 3, 5, dtype=torch.float64, requires_grad=True)
        first = torch.randn(1, 3, 4, dtype=torch.float64, requires_grad=True)
        memories, last = gru(inputs, first if with_memory else None)
        weights = torch.randn_like(memories)
        ((memories * weights).sum() + last.square().sum()).backward()
        gradients = [each.grad for each in (inputs, *gru.parameters(), *([first] if with_memory else []))]
        results.append([memories, last, *gradients])
    for mine, reference in zip(*results, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-10, atol=1e-12)


def test_gradients_equal_finite_differences():
    torch.manual_seed(0)
    gru = SequenceGRU(3, 2).double()
    inputs = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    first = torch.randn(1, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *given: gru(*given)[0], (inputs, first))


def test_one_step_after_another_equals_the_whole_sequence():
    torch.manual_seed(0)
    gru = SequenceGRU(3, 2)
    inputs = torch.randn(5, 4, 3)
    whole, _ = gru(inputs)
    memory, single = None, []
    for step in inputs:
        out, memory = gru(step.unsqueeze(0), memory)
        single.append(out)
    torch.testing.assert_close(torch.cat(single), whole)
