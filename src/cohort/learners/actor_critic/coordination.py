"""Coordination coefficients: how much each agent's value hangs on each other agent's action (MAMT, equation 5)."""

import math
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.functional import softmax, taken
from cohort.modules.critics.attention import AttentionCritic, normalised
from cohort.settings import Settings


class CoordinationSettings(Settings):
    coordination: Literal["values", "random", "fixed"] = Field(
        description="C. values: by equation 5; random: of chance at every sample; fixed: 1 / (N - 1)"
    )
    removed_action: Literal["marginal", "mask", "baseline_code"] = Field(
        description="Q_i without a_j. marginal: averaged over agent j's policy; mask: agent j is not attended to; "
        "baseline_code: agent j's own baseline, compared by column, as the authors' code has it"
    )
    coordination_threshold: float = Field(
        ge=0, le=1, description="sigma: coefficients below it become zero (not with coordination=fixed)"
    )
    coordination_batch_size: int = Field(
        ge=1, description="of each update's steps, how many the coefficients and TRD-Net see"
    )


class Situation(NamedTuple):
    """R observations, and a critic's view of what was decided there.

    Normalisation is by the whole batch that these are rows of, as when the critic learns.
    """

    obs: Tensor  # [N, R, O], normalised
    every_action: Tensor  # [N, A, A]: each action of each agent, as the critic reads it
    actions: Tensor  # [R, N] int64
    chances: Tensor  # [R, N, A]: pi_j of each action
    values: Tensor  # [R, N, A]: Q_i(o, (., a_-i))


def situation(obs: Tensor, one_hot: Tensor, chances: Tensor, values: Tensor, rows: int) -> Situation:
    """The first `rows` of a batch: observations [B, N, O], decisions, policies and values [B, N, A]."""
    agents, actions = one_hot.shape[1:]
    every = torch.eye(actions, dtype=one_hot.dtype, device=one_hot.device).unsqueeze(1)
    return Situation(
        obs=normalised(obs[:rows], obs).transpose(0, 1),
        every_action=normalised(every.expand(-1, agents, -1), one_hot).transpose(0, 1),
        actions=one_hot[:rows].argmax(dim=-1),
        chances=chances[:rows],
        values=values[:rows],
    )


def coefficients(change: Tensor, threshold: float) -> Tensor:
    """C: each row's softmax over the other agents, what is below the threshold zero: [..., N, N] -> [..., N, N].

    The diagonal of `change` means nothing, C's is zero. Nothing is normalised after the threshold.
    """
    itself = torch.eye(change.shape[-1], dtype=torch.bool, device=change.device)
    weights = softmax(change.masked_fill(itself, -math.inf))
    return weights.masked_fill(weights < threshold, 0.0)


def coordination(critic: AttentionCritic, at: Situation, how: str, threshold: float) -> Tensor:
    """C of |Q_i(o, a without a_j) - Q_i(o, a)|, as `removed_action` says `how`: [R, N, N]."""
    chosen = taken(at.values, at.actions)  # Q_i(o, a): [R, N]
    if how == "baseline_code":
        baseline = (at.chances * at.values).sum(dim=-1)
        change = (chosen.unsqueeze(1) - baseline.unsqueeze(2)).abs()  # j before i
        return coefficients(change, threshold).transpose(1, 2)
    return coefficients((without_each_other(critic, at, how) - chosen.unsqueeze(-1)).abs(), threshold)


@torch.no_grad()
def without_each_other(critic: AttentionCritic, at: Situation, how: str) -> Tensor:
    """Q_i(o, a without a_j) of every other agent j at agent i's own action: [R, N, N]; the diagonal means nothing.

    `marginal`: sum_a' pi_j(a' | o_j) Q_i(o, (a_-j, a')); `mask`: agent i attends to all but agent j, to nothing where
    there is no third. In both it attends to the third agents k with the weights they have without j. If j comes back
    with an action a', its share is sigmoid(logit_ij(a') - logsumexp_k logit_ik), and theirs the rest.
    """
    agents, rows = len(at.obs), len(at.actions)
    others = other_agents(agents, at.obs.device)  # [N, N-1]
    own = critic.encode_own(at.obs)  # [N, R, D]
    encodings = critic.encode_every(at.obs, at.every_action).flatten(1, 2)  # [N, A R, D]
    said = critic.attended_values(encodings).permute(2, 0, 1, 3).unflatten(1, (-1, rows))  # [N, A, R, H, d]
    logits = _logits_of_every_action(critic, own, encodings)  # [R, H, N, N, A]
    present = logits.gather(-1, at.actions.view(rows, 1, 1, agents, 1).expand(*logits.shape[:-1], 1))
    alone, total = _without(present.squeeze(-1), _of_taken(said, at.actions), others)
    if how == "mask":
        attended = alone.flatten(3)  # [N, N-1, R, D]
    else:
        back = others.view(1, 1, agents, agents - 1, 1).expand(*logits.shape[:3], -1, logits.shape[-1])
        share = (logits.gather(3, back) - total.unsqueeze(-1)).sigmoid()  # [R, H, N, N-1, A]
        share = share.permute(2, 3, 4, 0, 1).unsqueeze(-1)
        attended = torch.lerp(alone.unsqueeze(2), said[others], share).flatten(4).flatten(1, 2)
    values = critic.taken_values(own, attended, at.actions)  # [N, N-1, R], or [N, (N-1) A, R]
    if how == "marginal":
        chances = at.chances.permute(1, 2, 0)[others]  # pi_j(a'): [N, N-1, A, R]
        values = (values.view_as(chances) * chances).sum(dim=2)
    found = values.new_zeros(agents, agents, rows).scatter_(
        1, others.unsqueeze(-1).expand(-1, -1, rows), values
    )
    return found.permute(2, 0, 1)


def other_agents(agents: int, device: torch.device) -> Tensor:
    """Row i: all agents but i. [N, N-1] int64."""
    return (
        torch.arange(agents, device=device)
        .repeat(agents, 1)[~torch.eye(agents, dtype=torch.bool, device=device)]
        .view(agents, -1)
    )


def _logits_of_every_action(critic: AttentionCritic, own: Tensor, encodings: Tensor) -> Tensor:
    """Scaled <query_i, key_j(a')>: [N, R, D], [N, A R, D] -> [R, H, N, N, A]."""
    queries = critic.queries(own)  # [R, H, N, d]
    keys = critic.keys(encodings).unflatten(0, (-1, len(queries)))  # [A, R, H, N, d]
    every = queries @ keys.permute(1, 2, 4, 3, 0).flatten(3)  # [R, H, N, N A]
    return every.unflatten(-1, (len(own), -1)) / math.sqrt(queries.shape[-1])


def _of_taken(said: Tensor, actions: Tensor) -> Tensor:
    """What each agent's taken action says: [N, A, R, H, d], [R, N] -> [R, H, N, d]."""
    chosen = actions.T.view(len(said), 1, -1, 1, 1).expand(-1, 1, -1, *said.shape[3:])
    return said.gather(1, chosen).squeeze(1).permute(1, 2, 0, 3)


def _without(logits: Tensor, said: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Agent i without each other agent j: what it attends to, and the logsumexp of its logits there.

    [R, H, N, N], [R, H, N, d], [N, N-1] -> [N, N-1, R, H, d], zeros where nobody is left, and [R, H, N, N-1].
    """
    agents = len(others)
    everybody = torch.arange(agents, device=others.device)
    gone = (everybody == everybody.view(-1, 1, 1)) | (everybody == others.unsqueeze(-1))  # [N, N-1, N]
    left = logits.unsqueeze(3).masked_fill(gone, -math.inf)  # [R, H, N, N-1, N]
    weights = softmax(left) if agents > 2 else torch.zeros_like(left)
    attended = weights.flatten(2, 3) @ said  # [R, H, N (N-1), d]
    return attended.permute(2, 0, 1, 3).unflatten(0, others.shape), left.logsumexp(dim=-1)
