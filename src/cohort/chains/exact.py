"""Stages of a chain without sampling: the values of tabular policies in a matrix game, in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cohort.chains.games import MatrixGame
from cohort.chains.matches import Policies
from cohort.chains.unroll import Nodes


def joint_policy(logits: Sequence[Tensor]) -> Tensor:
    """Every agent's [C, S, A] -> the probability of each joint action in each state, [C, S, A^N]."""
    joint = F.softmax(logits[0], dim=-1)
    for each in logits[1:]:
        joint = (joint.unsqueeze(-1) * F.softmax(each, dim=-1).unsqueeze(-2)).flatten(-2)
    return joint


def discounted_value(game: MatrixGame, logits: Sequence[Tensor], gamma: float) -> Tensor:
    """Every agent's expected return of a match without end: [C, N].

    V = j_0 (r + gamma (I - gamma P)^-1 P r), with P the way from one joint action to the next and r the payoff.
    """
    joint = joint_policy(logits)
    first, onwards = joint[:, 0], joint[:, 1:]
    one = torch.eye(onwards.shape[1], dtype=joint.dtype, device=joint.device)
    payoff = game.payoff.to(joint.dtype)
    after = torch.linalg.solve(one - gamma * onwards, onwards @ payoff)
    return (first.unsqueeze(1) @ (payoff + gamma * after)).squeeze(1)


def joint_action_shares(logits: Sequence[Tensor], steps: int) -> Tensor:
    """The expected share of each joint action in a match of `steps`: [C, A^N]."""
    joint = joint_policy(logits)
    return (joint[:, :1] @ _powers(joint[:, 1:], steps)[0]).squeeze(1) / steps


def mean_reward(game: MatrixGame, logits: Sequence[Tensor], steps: int) -> Tensor:
    """Every agent's expected reward per step of a match of `steps`: [C, N]."""
    shares = joint_action_shares(logits, steps)
    return shares @ game.payoff.to(shares.dtype)


def action_shares(game: MatrixGame, logits: Sequence[Tensor], steps: int) -> Tensor:
    """The expected share of each of every agent's actions in a match of `steps`: [C, N, A]."""
    shares = joint_action_shares(logits, steps)
    taken = F.one_hot(game.joint_actions, game.n_actions).to(shares.dtype)  # [A^N, N, A]
    return torch.einsum("cj,jna->cna", shares, taken)


def _powers(matrix: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """1 + M + ... + M^(count-1), and M^count, by halving: [..., A, A] each."""
    if count == 1:
        return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device), matrix
    total, power = _powers(matrix, count // 2)
    total, power = total + power @ total, power @ power
    return (total + power, power @ matrix) if count % 2 else (total, power)


@dataclass(frozen=True)
class ExactValues:
    """How stages are valued: `gamma` discounts, `nodes` says whose parameters an agent's objective knows."""

    game: MatrixGame
    gamma: float
    nodes: Nodes

    def stage(self, params: Policies, place: int) -> "ExactStage":
        return ExactStage(self, params)


class ExactStage:
    """A joint tabular policy in each of C chains."""

    def __init__(self, values: ExactValues, params: Policies) -> None:
        self.values, self.params = values, params
        self.logits = [each["logits"] for each in params]

    def objective(self, agent: int) -> Tensor:
        logits = self.logits
        if self.values.nodes == "own":
            logits = [each if index == agent else each.detach() for index, each in enumerate(logits)]
        return discounted_value(self.values.game, logits, self.values.gamma)[:, agent]
