"""What a role selector sees of episodes: one step for each role that was chosen."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from cohort.components.episodes import Episodes
from cohort.components.packing import Packing
from cohort.learners.packed import PackedEpisodes


def chunked(episodes: Episodes, interval: int, roles: Tensor, exists: Tensor) -> Episodes:
    """Episodes of C chunks of `interval` steps each, whose actions are roles (RODE, arXiv:2010.01523, section 3.2).

    A chunk stands at its first step: its role, state and extras are those. Its reward is the undiscounted sum of its
    steps', fewer of them in an episode's last chunk; after that follows what the episode ended with, so that a cut
    episode goes on to the value of its last observation. Nothing beyond an episode's end is read.

    Args:
        episodes: T steps of B episodes.
        interval: steps between two choices.
        roles: [B, T, N] int64, the role at every step.
        exists: [R] bool, the roles there are.
    """
    batch, steps = episodes.mask.shape
    chunks = -(-steps // interval)
    starts = slice(0, None, interval)
    places = interval * torch.arange(chunks + 1, device=episodes.length.device)
    moments = torch.minimum(places, episodes.length.unsqueeze(1))  # [B, C+1]
    rows = torch.arange(batch, device=moments.device).unsqueeze(1)

    def parts(values: Tensor) -> Tensor:
        """What happened in each chunk: [B, T, ...] -> [B, C, interval, ...], zeros where nothing did."""
        mask = episodes.mask.view(batch, steps, *[1] * (values.dim() - 2))
        room = values.new_zeros(batch, chunks * interval - steps, *values.shape[2:])
        whole = torch.cat([torch.where(mask, values, torch.zeros_like(values)), room], dim=1)
        return whole.unflatten(1, (chunks, interval))

    return Episodes(
        obs=episodes.obs[rows, moments],
        state=episodes.state[rows, moments],
        available_actions=exists.expand(batch, chunks + 1, roles.shape[-1], -1),
        actions=roles[:, starts],
        reward=parts(episodes.reward).sum(dim=2),
        terminated=parts(episodes.terminated).any(dim=2),
        truncated=parts(episodes.truncated).any(dim=2),
        length=-(-episodes.length // interval),
        extras={name: each[:, starts] for name, each in episodes.extras.items()},
    )


@dataclass(frozen=True)
class RoleChunks:
    """Chunks of packed episodes, packed too: P' rows, one for each moment of `batch`."""

    batch: PackedEpisodes
    rows: Tensor  # [P'] int64: where each of its moments stands among the P moments of the steps
    chunk: Tensor  # [P] int64: in which row of `batch` the chunk began that a moment of the steps belongs to

    @classmethod
    def of(cls, steps: PackedEpisodes, interval: int, roles: Tensor, exists: Tensor) -> Self:
        """`roles` and `exists` are as `chunked` has them."""
        episodes = chunked(steps.episodes, interval, roles, exists)
        chunks = episodes.actions.shape[1]
        packing = Packing.of(episodes.length, chunks)
        width, chunk_width = roles.shape[1] + 1, chunks + 1
        # the last moment of a cut chunk is the episode's last
        game, place = packing.moments // chunk_width, packing.moments % chunk_width
        moment = torch.minimum(place * interval, steps.episodes.length[game])
        rows = _row_of(steps.packing, steps.episodes.batch_size * width)[game * width + moment]
        game, moment = steps.packing.moments // width, steps.packing.moments % width
        began = game * chunk_width + moment // interval
        chunk = _row_of(packing, episodes.batch_size * chunk_width)[began]
        return cls(PackedEpisodes(episodes, packing, steps.inputs.index_select(0, rows)), rows, chunk)

    def at_choices(self, values: Tensor) -> Tensor:
        """Of the steps' moments those at which roles are chosen: [P, ...] -> [P', ...]."""
        return values.index_select(0, self.rows)

    def spread(self, choices: Tensor) -> Tensor:
        """For every moment of the steps what was chosen last: [P', ...] -> [P, ...]."""
        return choices.index_select(0, self.chunk)


def _row_of(packing: Packing, places: int) -> Tensor:
    """The row of each moment of [B, T+1], flattened; -1 in padding."""
    rows = torch.arange(len(packing.moments), device=packing.moments.device)
    return rows.new_full((places,), -1).index_copy(0, packing.moments, rows)
