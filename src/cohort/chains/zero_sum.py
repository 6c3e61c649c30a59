"""The stateless zero-sum game V^0 = xy, V^1 = -xy, in which who forgets that others learn diverges (appendix F)."""

from typing import Literal

import torch
from torch import Tensor

from cohort.chains.matches import Policies
from cohort.chains.unroll import unroll

Rule = Literal["gradient", "lola", "lola_taylor", "meta_mapg"]
VALUE = "value"  # the name of an agent's only parameter, [C, 1]


class ZeroSumStage:
    """Both agents' choices, x of agent 0 and y of agent 1, in each of C chains."""

    def __init__(self, params: Policies, place: int = 0) -> None:
        self.params = params

    def objective(self, agent: int) -> Tensor:
        x, y = (each[VALUE] for each in self.params)
        return (x * y if agent == 0 else -x * y).squeeze(-1)


def value_ahead(point: Tensor, agent: int, own: float, others: float) -> Tensor:
    """What `agent` gets after one update of both, at `point` [2] = (x, y), with step sizes of its own and of the other.

    Eq. 6's chain for L = 1; LOLA's is the one with `own` 0.
    """
    rates = [torch.full((1, 1), own if index == agent else others, dtype=point.dtype) for index in range(2)]
    start = [{VALUE: each.view(1, 1)} for each in point]
    *_, last = unroll(ZeroSumStage, start, rates, differentiate=True)
    return last.objective(agent).sum()


def taylor_ahead(point: Tensor, agent: int, look: float) -> Tensor:
    """First-order LOLA (arXiv:1709.04326): V + look * (its slope in the other, kept) * (the other's gradient)."""
    x, y = point
    values = (x * y, -x * y)
    other = (y, x)[agent]
    slope = torch.autograd.grad(values[agent], other, create_graph=True)[0].detach()
    gain = torch.autograd.grad(values[1 - agent], other, create_graph=True)[0]
    return values[agent] + look * slope * gain


def objective_of(rule: Rule, point: Tensor, agent: int, look: float) -> Tensor:
    """What `agent` ascends at `point` by a rule."""
    if rule == "lola_taylor":
        return taylor_ahead(point, agent, look)
    own, others = {"gradient": (0.0, 0.0), "lola": (0.0, look), "meta_mapg": (look, look)}[rule]
    return value_ahead(point, agent, own, others)


def path(
    rule: Rule, *, step: float, look: float, steps: int, start: tuple[float, float] = (1.0, 1.0)
) -> Tensor:
    """Where both are led when both follow a rule, by updates at the same time: [steps + 1, 2] of (x, y).

    Args:
        rule: plain gradients; LOLA through the whole update or by its Taylor expansion; Meta-MAPG with L = 1.
        step: the size of the steps that are taken.
        look: the size of those that are looked ahead to.
        steps: how many are taken.
        start: from where.
    """
    points = [torch.tensor(start, dtype=torch.float64)]
    for _ in range(steps):
        point = points[-1].clone().requires_grad_()
        slopes = [
            torch.autograd.grad(objective_of(rule, point, agent, look), point)[0][agent] for agent in range(2)
        ]
        points.append(points[-1] + step * torch.stack(slopes))
    return torch.stack(points)
