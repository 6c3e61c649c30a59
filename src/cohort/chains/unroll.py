"""The inner loop: everybody plays, everybody takes a step up its own objective, and so on (Meta-MAPG, eq. 4)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol, TypeVar

import torch
from torch import Tensor

from cohort.chains.matches import Policies
from cohort.modules.policies import Params

Nodes = Literal["all", "own"]  # whose parameters an agent's objective is a function of


class Stage(Protocol):
    """What a joint policy of the chain came to."""

    params: Policies
    """The joint policy whose updates lead on: the one that was given, or what the stage has made of it."""

    def objective(self, agent: int) -> Tensor:
        """What this agent's update ascends, [C], as a function of its own parameters at least."""


AnyStage = TypeVar("AnyStage", bound=Stage)


def unroll(
    stage_of: Callable[[Policies, int], AnyStage],
    start: Policies,
    rates: Sequence[Tensor],
    *,
    differentiate: bool,
    own: bool = True,
) -> Iterator[AnyStage]:
    """The chain's L + 1 stages, each made when it is asked for; all agents update at once after each but the last.

    The stages of a differentiated chain are functions of `start` and `rates`, along every way that the objectives
    leave open: if those of the peers know the parameters of agent 0, the peers' later policies depend on them too.

    Args:
        stage_of: from a joint policy and its place in the chain to its stage.
        start: every agent's parameters, each tensor [C, ...].
        rates: the step sizes of every agent, [C, L] each.
        differentiate: keep the graph. Otherwise each stage begins with parameters of its own, and nothing is kept:
            whoever keeps no stage has the graph of one in memory.
        own: whether agent 0's updates are differentiated; if not, its later parameters depend on the first as if its
            steps were constants.
    """
    params = start
    keep = [differentiate and (own or agent > 0) for agent in range(len(start))]
    for place in range(rates[0].shape[1] + 1):
        if not differentiate:
            params = [{name: each.detach().requires_grad_() for name, each in one.items()} for one in params]
        yield (stage := stage_of(params, place))
        if place < rates[0].shape[1]:
            params = [
                ascend(one, stage.objective(agent), rates[agent][:, place], differentiate=keep[agent])
                for agent, one in enumerate(stage.params)
            ]


def ascend(params: Params, objective: Tensor, rate: Tensor, *, differentiate: bool) -> Params:
    """One step of gradient ascent in every chain: objective [C], rate [C].

    The result is a function of `params` and `rate`, and of the gradient if that is to be differentiated.
    """
    gradients = torch.autograd.grad(
        objective.sum(), list(params.values()), create_graph=differentiate, retain_graph=True
    )
    return {
        name: value + rate.view(-1, *[1] * (value.dim() - 1)) * gradient
        for (name, value), gradient in zip(params.items(), gradients, strict=True)
    }
