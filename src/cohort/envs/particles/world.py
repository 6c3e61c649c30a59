"""How points move and what they see of each other: pure functions on all games at once.

Positions and velocities are [B, E, 2]. First order: an action is a velocity. Second order: an action is a force, and
entities have mass, damping, contacts and a speed limit, as in OpenAI's particle environments (arXiv:1706.02275).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

_TINY = 1e-12  # keeps the direction between two entities at one place finite


def scatter(
    games: int, entities: int, size: float, generator: torch.Generator, device: torch.device | str
) -> Tensor:
    """[B, E, 2] places, independent and uniform in the square [-size, size]^2."""
    places = torch.empty((games, entities, 2), dtype=torch.float32, device=device)
    return places.uniform_(-size, size, generator=generator)


def glide(positions: Tensor, actions: Tensor, step: float, bound: float | None = None) -> Tensor:
    """First-order motion: p <- p + step * a, with actions cut to [-1, 1].

    Args:
        positions: [B, N, 2].
        actions: [B, N, 2], velocities in units of the greatest.
        step: how far an action of 1 leads.
        bound: half the side of the arena that nobody leaves; None for an open plane.
    """
    moved = torch.add(positions, actions.clamp(-1.0, 1.0), alpha=step)
    return moved if bound is None else moved.clamp_(-bound, bound)


def relative_map(viewers: int, entities: int) -> Tensor:
    """[2E, N * (E-1) * 2] float32 matrix that turns positions into what everybody sees of everybody else.

    With it, `positions.flatten(1) @ matrix` is, for each of the first N entities i in turn, p_j - p_i of all others j
    in index order. Every column has one 1 and one -1, so that each number is one exact subtraction; one product takes
    a small part of the time of gathering pairs and subtracting.
    """
    viewer, seen = (~torch.eye(viewers, entities, dtype=torch.bool)).nonzero().unbind(1)  # [N * (E-1)] each
    places = torch.eye(entities)
    pairs = places[seen] - places[viewer]  # [N * (E-1), E]
    return torch.kron(pairs, torch.eye(2)).T.contiguous()


@dataclass(frozen=True)
class Dynamics:
    """The constants of second-order motion; the defaults are those of the particle environments.

    Attributes:
        dt: seconds of one step.
        damping: share of the velocity that is lost in a step.
        contact_force: newtons per metre of overlap.
        contact_margin: metres over which a contact softens.
        first: what a step updates first. "velocity": v, then p with the new v, as the original environments do.
            "position": p with the old v, then v, as mpe2 does.
    """

    dt: float = 0.1
    damping: float = 0.25
    contact_force: float = 100.0
    contact_margin: float = 1e-3
    first: Literal["velocity", "position"] = "velocity"


def contact_forces(positions: Tensor, reach: Tensor, touching: Tensor, dynamics: Dynamics) -> Tensor:
    """[B, E, 2] what all entities that overlap do to each other.

    Args:
        positions: [B, E, 2].
        reach: [E, E] distance below which two entities overlap, the sum of their radii.
        touching: [E, E] bool, which pairs can touch at all; the diagonal is ignored.
        dynamics: stiffness and margin of a contact: its force is contact_force * margin * softplus(overlap / margin).
    """
    entities = positions.shape[1]
    apart = positions.unsqueeze(2) - positions.unsqueeze(1)  # [B, E, E, 2] from j to i
    distance = torch.linalg.vector_norm(apart, dim=-1)  # [B, E, E]
    margin = dynamics.contact_margin
    # logaddexp is softplus without torch's switch to the identity above 20
    overlap = torch.logaddexp((reach - distance) / margin, torch.zeros_like(distance)) * margin
    others = touching & ~torch.eye(entities, dtype=torch.bool, device=positions.device)
    strength = dynamics.contact_force * (overlap / distance.clamp_min(_TINY)) * others
    return (apart * strength.unsqueeze(-1)).sum(2)


def accelerate(
    positions: Tensor,
    velocities: Tensor,
    forces: Tensor,
    dynamics: Dynamics,
    *,
    mass: Tensor | float = 1.0,
    max_speed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Second-order motion: one step of positions and velocities [B, E, 2] under forces [B, E, 2].

    v <- (1 - damping) v + dt F / m, cut to the greatest speed, and p <- p + dt v with the new or the old v, as
    `dynamics.first` says.

    Args:
        mass: [E], or one for all; infinite for what cannot be moved.
        max_speed: [E], infinite where there is no limit; None for no limits.
    """
    if isinstance(mass, Tensor):
        mass = mass.unsqueeze(-1)
    faster = velocities * (1.0 - dynamics.damping) + forces / mass * dynamics.dt
    if max_speed is not None:
        speed = torch.linalg.vector_norm(faster, dim=-1, keepdim=True)
        faster = faster * (max_speed.unsqueeze(-1) / speed.clamp_min(_TINY)).clamp(max=1.0)
    used = faster if dynamics.first == "velocity" else velocities
    return positions + used * dynamics.dt, faster
