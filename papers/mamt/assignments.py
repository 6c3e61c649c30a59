"""Who covers which landmark in Spread: the nearer one, or the same one in all games."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cohort.analysis.folders import FolderRun
from cohort.analysis.runs import Run
from cohort.policy import Policy, load_policy
from cohort.recording.models import NoModel
from papers.mamt.arms import AGENTS, SPREAD, TITLES
from papers.run_selector import RunSelector
from papers.table import Table
from papers.wording import listed

GAMES = 1000  # the same ones for every policy
SEED = 0
LANDMARKS = slice(4, 8)  # of an observation: where both are, seen from the agent

HEADINGS = (
    "run", "steps", "return (± se)", "shorter assignment", "the more usual one", "landmarks uncovered by",
)  # fmt: skip
NOTES = (
    f"{GAMES:,} games of the policy as it is tested. Return: an agent's.",
    "Shorter assignment: the share of games that end with the two agents at the landmarks to which they had the "
    "shorter way together. The more usual one: the share of games in which agents end in the order that is more "
    "frequent; 1 is a team that has agreed once for all on who covers which.",
    "Landmarks uncovered by: the sum over both of the distance to the nearest agent, in the end.",
    "Scripted teams with brakes earn -36.2 by the shorter assignment, and -39.1 where each always covers the same.",
)


class Habits(NamedTuple):
    """What a team does in each game: [B]."""

    shorter: Tensor  # ends in the assignment that was shorter when the game began
    in_order: Tensor  # the first agent at the first landmark
    uncovered: Tensor  # the distance from each landmark to the nearest agent in the end, summed


def habits(obs: Tensor) -> Habits:
    """Read off what two agents see from the first to the last moment: [B, T + 1, 2, O]."""
    distance = torch.linalg.vector_norm(obs[..., LANDMARKS].unflatten(-1, (2, 2)), dim=-1)  # [B, T + 1, 2, L]
    begun, ended = distance[:, 0], distance[:, -1]
    in_order = _in_order(ended)
    return Habits(in_order == _in_order(begun), in_order, ended.amin(dim=1).sum(dim=-1))


def _in_order(distance: Tensor) -> Tensor:
    """Whether the first agent at the first landmark and the second at the second is the shorter way: [B, 2, L]."""
    return distance[:, 0, 0] + distance[:, 1, 1] <= distance[:, 0, 1] + distance[:, 1, 0]


def table(selector: RunSelector) -> Table:
    """A row for every run of Spread whose policy is kept.

    Raises:
        UserError: one is kept and cannot be read.
    """
    rows: list[Sequence[str]] = []
    without: list[str] = []
    for run in selector.runs:
        if not (run.env == SPREAD and run.config["env_args"].get("n_agents") == AGENTS[SPREAD]):
            continue
        policy = _policy(run)
        if policy is None:
            without.append(run.name)
        else:
            rows.append(_row(run.name, policy))
    if without:
        selector.notes.append(f"no policy is kept of {listed(without)}")
    if not rows:
        selector.notes.append(f"no run of {TITLES[SPREAD]} whose policy is kept: name its folder")
    return Table(HEADINGS, rows, NOTES)


def _policy(run: Run) -> Policy | None:
    """What a run has come to, where that is kept.

    Raises:
        UserError: it is kept and cannot be read.
    """
    if not isinstance(run, FolderRun):
        return None
    try:
        return load_policy(run.place)
    except NoModel:
        return None


def _row(name: str, policy: Policy) -> Sequence[str]:
    episodes = policy.play(policy.make_env(GAMES, SEED), GAMES)
    shorter, in_order, uncovered = habits(episodes.obs)
    returns = episodes.returns / AGENTS[SPREAD]
    ordered = float(in_order.float().mean())
    return (
        name,
        f"{policy.step:,}",
        f"{returns.mean():.2f} ± {returns.std() / GAMES**0.5:.2f}",
        f"{shorter.float().mean():.2f}",
        f"{max(ordered, 1 - ordered):.2f}",
        f"{uncovered.mean():.2f}",
    )
