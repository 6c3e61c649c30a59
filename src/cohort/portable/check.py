"""Whether an exported policy does what the run's own networks do."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from cohort.envs.base import Observation
from cohort.errors import UserError
from cohort.policy import Policy
from cohort.portable.formats import Play
from cohort.portable.team import PortableTeam

GAMES, STEPS = 3, 30
TOLERANCE = 1e-5  # of numbers around 1; of larger ones it is their share


@torch.no_grad()
def largest_difference(policy: Policy, portable: PortableTeam, play: Play) -> float:
    """Of all outputs over an episode of made-up observations, relative where numbers are above 1.

    The networks act greedily, as files do. The file is given their memory in every step, so that two actions that
    are worth the same make no other episode of it.

    Raises:
        UserError: it is above the tolerance.
    """
    draw = torch.Generator().manual_seed(0)
    remembered, memory, worst = policy.begin(GAMES), portable.begin(GAMES), 0.0
    for _ in range(STEPS):
        observed = _made_up(portable, draw)
        acted, remembered, _ = policy.team.act(_observation(policy, observed), remembered, policy.step, None)
        expected = portable(*observed, *memory)
        worst = max(
            worst,
            _difference([acted, *expected[1:]], expected),
            _difference(expected, play([*observed, *memory])),
        )
        memory = expected[2:]
    if worst > TOLERANCE:
        raise UserError(
            "this policy cannot be exported: the file's outputs differ from those of the run's networks by "
            f"{worst:.1e}."
        )
    return worst


def _made_up(portable: PortableTeam, draw: torch.Generator) -> list[Tensor]:
    """Normal observations, or pictures of any bytes, and of the actions about two thirds, at least one."""
    observation, *available = portable.observed
    shape = (GAMES, *observation.shape)
    if observation.dtype == torch.uint8:
        made = [torch.randint(256, shape, generator=draw, dtype=torch.uint8)]
    else:
        made = [torch.randn(shape, generator=draw)]
    for port in available:
        scores = torch.rand(GAMES, *port.shape, generator=draw)
        made.append((scores < 0.67) | (scores == scores.amin(dim=-1, keepdim=True)))
    return made


def _observation(policy: Policy, observed: Sequence[Tensor]) -> Observation:
    obs, *available = observed
    nothing = torch.ones(*obs.shape[:2], 0, dtype=torch.bool)
    state = torch.zeros(len(obs), policy.team.spec.state_dim)
    return Observation(obs, state, available[0] if available else nothing)


def _difference(ours: Sequence[Tensor], its: Sequence[Tensor]) -> float:
    """Between the outputs of one step: actions, values, memory."""
    pairs = list(zip(ours, its, strict=True))
    if any(a.shape != b.shape or a.dtype != b.dtype for a, b in pairs):
        return math.inf
    worst = max(_apart(a, b) for a, b in pairs if a.is_floating_point())
    if all(torch.equal(a, b) for a, b in pairs if not a.is_floating_point()):
        return worst
    if torch.equal(ours[0], its[0]) or ours[0].is_floating_point():
        return math.inf
    # another choice among actions that are worth the same is no difference
    return max(worst, _apart(*(ours[1].gather(-1, each[0].unsqueeze(-1)) for each in (ours, its))))


def _apart(one: Tensor, other: Tensor) -> float:
    if not one.numel():
        return 0.0
    apart = float(((one - other).abs() / one.abs().clamp(min=1)).max())
    return math.inf if math.isnan(apart) else apart
