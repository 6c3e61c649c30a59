"""A policy that looks its action up: logits for every state."""

import torch
from torch import Tensor
from torch.nn import functional as F

from cohort.modules.policies import Params, pick, thresholds
from cohort.modules.policies.distributions import Categorical


class TablePolicy:
    """Parameters: `logits` [C, S, A], one row of a softmax for every state."""

    memoryless = True

    def __init__(self, n_states: int, n_actions: int) -> None:
        self.n_states, self.n_actions = n_states, n_actions

    def initial(self, generator: torch.Generator) -> Params:
        """Uniform in every state but for a little noise."""
        return {"logits": 0.01 * torch.randn(self.n_states, self.n_actions, generator=generator)}

    def distribution(self, params: Params, states: Tensor, trace: None = None) -> Categorical:
        table = F.log_softmax(params["logits"], dim=-1)
        index = states.flatten(1).unsqueeze(-1).expand(-1, -1, self.n_actions)
        return Categorical(table.gather(1, index).view(*states.shape, self.n_actions))

    def player(self, params: Params, matches: int, steps: int) -> "TablePlayer":
        return TablePlayer(F.softmax(params["logits"].detach(), dim=-1))


class TablePlayer:
    """Plays by probabilities [C, S, A]."""

    trace = None

    def __init__(self, probabilities: Tensor) -> None:
        self.thresholds = thresholds(probabilities)  # [C, S, A-1]

    def __call__(self, states: Tensor, draws: Tensor) -> Tensor:
        index = states.unsqueeze(-1).expand(-1, -1, self.thresholds.shape[-1])
        return pick(self.thresholds.gather(1, index), draws)

    def answers(self, draws: Tensor) -> Tensor:
        return pick(self.thresholds.unsqueeze(2), draws.unsqueeze(2))
