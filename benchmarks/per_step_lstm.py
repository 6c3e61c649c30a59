"""The recurrent network of a meta-agent written plainly: one cell per time step, differentiated by autograd.

The yardstick of the meta-gradient benchmark, and an independent reference for the sequence's own derivatives.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from cohort.modules.policies import Params
from cohort.modules.policies.lstm import GaussianLSTMPolicy, LSTMNetwork, LSTMPolicy


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


class _PerStep(LSTMNetwork):
    def outputs(self, params: Params, seen: Tensor, trace: None = None) -> Tensor:
        if not seen.is_floating_point():
            seen = F.one_hot(seen, self.n_inputs).to(params["w_in"].dtype)
        entered = seen.permute(0, 2, 3, 1)  # [C, T, I, K]
        features = F.relu(params["w_in"].unsqueeze(1) @ entered + params["b_in"][:, None, :, None])
        biases = (params["b_ih"] + params["b_hh"])[:, None, :, None]
        memories = per_step_memories(params["w_ih"].unsqueeze(1) @ features + biases, params["w_hh"])
        return params["w_out"].unsqueeze(1) @ memories + params["b_out"][:, None, :, None]


class PerStepPolicy(_PerStep, LSTMPolicy):
    """`LSTMPolicy` without the sequence."""


class PerStepGaussianPolicy(_PerStep, GaussianLSTMPolicy):
    """`GaussianLSTMPolicy` without the sequence."""
