"""The recurrent network of a meta-agent written plainly: one cell per time step, differentiated by autograd.

The yardstick of the meta-gradient benchmark, and an independent reference for the sequence's own derivatives.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from src.modules.policies import Params
from src.modules.policies.lstm import LSTMPolicy


def per_step_memories(inputs: Tensor, weight: Tensor) -> Tensor:
    """What `lstm_sequence` computes: [C, T, 4H, K] and [C, 4H, H] -> [C, T, H, K]."""
    chains, _, width, rows = inputs.shape
    memory = cell = inputs.new_zeros(chains, width // 4, rows)
    memories = []
    for entering in inputs.unbind(1):
        i, f, g, o = (entering + weight @ memory).chunk(4, dim=1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        memory = o.sigmoid() * cell.tanh()
        memories.append(memory)
    return torch.stack(memories, dim=1)


class PerStepPolicy(LSTMPolicy):
    """`LSTMPolicy` without the sequence."""

    def outputs(self, params: Params, states: Tensor, trace: None = None) -> Tensor:
        codes = F.one_hot(states.permute(0, 2, 1), self.n_states).transpose(2, 3).to(params["w_in"].dtype)
        features = F.relu(params["w_in"].unsqueeze(1) @ codes + params["b_in"][:, None, :, None])
        biases = (params["b_ih"] + params["b_hh"])[:, None, :, None]
        memories = per_step_memories(params["w_ih"].unsqueeze(1) @ features + biases, params["w_hh"])
        return params["w_out"].unsqueeze(1) @ memories + params["b_out"][:, None, :, None]
