"""LOLA: where two agents' parameters go who foresee that the other learns too (arXiv:1709.04326)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from cohort.components.functional import inner

Values = Callable[[Sequence[Tensor]], Tensor]
"""From both agents' parameters, stacked [2, ...], to V_1 and V_2: [2]."""


def lola_gradient(
    values: Values, parameters: Sequence[Tensor], rate: float, *, lookahead: bool
) -> list[Tensor]:
    """The direction in which each agent ascends, in the rows of tensors like `parameters`.

    With `lookahead` the gradient of what an agent gets once the other has taken one step of gradient ascent,

        d/d theta_i V_i(theta_i, theta_j + rate grad_j V_j(theta_1, theta_2)),

    without it the paper's Taylor form: V_i is taken as linear in the other's step, and theta_i moves that step alone,

        grad_i V_i + rate (d^2 V_j / d theta_j d theta_i)^T grad_j V_i.

    Args:
        values: V_1 and V_2, twice differentiable in the parameters.
        parameters: those of both agents side by side, [2, ...] each.
        rate: the other's step size, as each agent imagines it.
        lookahead: the exact look-ahead in place of the Taylor form.
    """
    gains = values(parameters)
    by_agent = [_gradient(gain, parameters, create_graph=True) for gain in gains]
    own = [torch.stack([first[0], second[1]]) for first, second in zip(*by_agent, strict=True)]
    if lookahead:
        learned = [each + rate * step for each, step in zip(parameters, own, strict=True)]
        return _rows(
            [
                _gradient(values(_exchanged(parameters, learned, agent))[agent], parameters)
                for agent in range(2)
            ]
        )
    shaping = []
    for agent, other in ((0, 1), (1, 0)):
        step = [each[other] for each in by_agent[other]]  # grad_j V_j, which theta_i moves
        worth = [each[other].detach() for each in by_agent[agent]]  # grad_j V_i
        shaping.append(_gradient(inner(step, worth), parameters))
    return [each.detach() + rate * more for each, more in zip(own, _rows(shaping), strict=True)]


def _gradient(value: Tensor, parameters: Sequence[Tensor], *, create_graph: bool = False) -> list[Tensor]:
    """Zeros where the value does not depend on a parameter, or on any. The graph stays."""
    if not value.requires_grad:
        return [torch.zeros_like(each) for each in parameters]
    return list(
        torch.autograd.grad(
            value, parameters, retain_graph=True, create_graph=create_graph, materialize_grads=True
        )
    )


def _exchanged(parameters: Sequence[Tensor], learned: Sequence[Tensor], agent: int) -> list[Tensor]:
    """The agent's parameters as they are beside what the other has learned."""
    pairs = zip(parameters, learned, strict=True)
    return [torch.stack([one[i] if i == agent else other[i] for i in range(2)]) for one, other in pairs]


def _rows(by_agent: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Of each agent's gradient its own row."""
    return [torch.stack([each[i] for i, each in enumerate(both)]) for both in zip(*by_agent, strict=True)]
