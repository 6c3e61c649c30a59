"""RODE's clustering of actions: k-means, and the action spaces of roles that its clusters make."""

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from cohort.modules.roles import FIRST_ROLES
from cohort.settings import Settings

RESTARTS = 10
MOST_ITERATIONS = 300

Action = Annotated[int, Field(ge=0)]


class RoleSpacesSettings(Settings):
    n_role_clusters: int = Field(
        ge=1, description="clusters of actions; those with a single action make no role"
    )
    uncounted_actions: tuple[Action, ...] = Field(
        description="actions that do not count as members of a cluster, as [0, 1]: SMAC's no-op and stop"
    )
    base_actions: tuple[Action, ...] = Field(
        description="actions that roles of three or more actions have besides, as [0, 1, 2, 3, 4, 5]: SMAC's moves too"
    )
    always_allowed: tuple[Action, ...] = Field(
        description="actions that every role has, as [0]: SMAC's no-op"
    )

    def refuse_unknown_actions(self, n_actions: int) -> None:
        """Raises `ValueError` where a key names an action that there is not."""
        for key in ("uncounted_actions", "base_actions", "always_allowed"):
            if unknown := [each for each in getattr(self, key) if each >= n_actions]:
                raise ValueError(
                    f"{key} names {', '.join(map(str, unknown))}, "
                    f"and this environment's actions are 0 to {n_actions - 1}"
                )

    def spaces(self, latents: Tensor) -> Tensor:
        """The roles that these representations of actions make: [A, D] -> [R, A] bool, on the CPU."""
        return role_action_spaces(
            k_means(latents, self.n_role_clusters),
            uncounted=self.uncounted_actions,
            base=self.base_actions,
            always=self.always_allowed,
        )


def k_means(points: Tensor, clusters: int, seed: int = 0) -> Tensor:
    """The cluster of each point: [M, D] -> [M] int64, clusters numbered in the order of their first points.

    k-means++ (Arthur and Vassilvitskii 2007) and Lloyd's iterations, all restarts at once, the best of which counts.
    That is what scikit-learn does, which with SciPy would add some 180 MB to every installation for a few dozen points
    once a run. In double precision on the CPU, so that a seed means the same everywhere.
    """
    points = points.detach().to("cpu", torch.float64)
    centres = _spread_centres(points, clusters, torch.Generator().manual_seed(seed))
    labels = None
    for _ in range(MOST_ITERATIONS):
        distances = _squared_distances(points, centres)
        now = distances.argmin(dim=2)
        if labels is not None and torch.equal(now, labels):
            break
        labels = now
        members = F.one_hot(labels, clusters).to(points.dtype)  # [S, M, K]
        counts = members.sum(dim=1).unsqueeze(-1)  # [S, K, 1]
        means = members.transpose(1, 2) @ points / counts.clamp(min=1)
        centres = torch.where(counts > 0, means, centres)  # an empty cluster stays where it is
    inertia = distances.min(dim=2).values.sum(dim=1)
    best = labels[inertia.argmin()].tolist()
    order = {label: place for place, label in enumerate(dict.fromkeys(best))}
    return torch.tensor([order[label] for label in best])


def _spread_centres(points: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """k-means++: the next centre is a point, drawn by its squared distance from the nearest centre. [S, K, D]."""
    first = torch.randint(len(points), (RESTARTS, 1), generator=generator)
    centres = points[first]  # [S, 1, D]
    for _ in range(clusters - 1):
        chances = _squared_distances(points, centres).min(dim=2).values  # [S, M]
        chances[chances.sum(dim=1) == 0] = 1.0  # every point is a centre already
        drawn = torch.multinomial(chances, 1, generator=generator)
        centres = torch.cat([centres, points[drawn]], dim=1)
    return centres


def _squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    """[M, D], [S, K, D] -> [S, M, K], exactly 0 where they are equal."""
    return (points[:, None] - centres[:, None]).square().sum(dim=-1)


def role_action_spaces(
    labels: Tensor, *, uncounted: Sequence[int], base: Sequence[int], always: Sequence[int]
) -> Tensor:
    """What each role may do, [M] int64 -> [R, A] bool, with at least 3 roles.

    A cluster counts its members but the `uncounted`. With three or more it is a role that may do the `base` actions
    too, with two it is a role as it is, with fewer it is none. Every role may do what is `always` allowed. Where fewer
    than 3 roles remain, copies of the first and the second, or of the only one, follow. (RODE's code; on StarCraft
    no-op and stop are uncounted, those and the moves are base, and no-op is always allowed.)
    """
    clusters = torch.arange(int(labels.max()) + 1)
    members = labels == clusters.unsqueeze(1)  # [K, A]
    counts = members.index_fill(1, _places(uncounted), False).sum(dim=1)
    large = (counts >= 3).unsqueeze(1) & _those(base, members)
    spaces = (members | large | _those(always, members))[counts >= 2]
    if not len(spaces):  # nothing belongs together: each role may do everything
        spaces = torch.ones_like(members[:1])
    if len(spaces) < FIRST_ROLES:
        copies = spaces if len(spaces) == 2 else spaces.expand(2, -1)
        spaces = torch.cat([spaces, copies])
    return spaces


def _places(actions: Sequence[int]) -> Tensor:
    return torch.tensor(list(actions), dtype=torch.int64)


def _those(actions: Sequence[int], like: Tensor) -> Tensor:
    """[A] bool: which actions are among `actions`."""
    return torch.zeros_like(like[0]).index_fill(0, _places(actions), True)
