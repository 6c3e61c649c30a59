"""One reactive rule per type of agent, found by the cross-entropy method over whole battles.

A rule that wins most battles it has never seen says more than battles won by search: it needs no model of the
battle, and every agent follows it by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.solvability_model import Worth, bare
from benchmarks.solvability_rules import RANGES, Rules
from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.settings import SC2SimSettings

_SPREAD, _LEAST_SPREAD = 0.35, 0.02  # of candidates at first and always, in a cube of edge 1
_KEPT = 0.2  # of the mean in a round


@dataclass(frozen=True)
class Tuning:
    """How hard to look for a rule. One round plays candidates * games whole battles side by side."""

    candidates: int = 48
    games: int = 8  # battles of a candidate per round
    rounds: int = 25
    elite: int = 8  # candidates from which the next ones are drawn
    survivors: int = 3  # of these are tried again, in other battles
    final_games: int = 64  # battles by which the last mean and survivors are compared


class Arena:
    """Plays whole battles by one rule per type of agent."""

    def __init__(self, settings: SC2SimSettings, battles: int, seed: int) -> None:
        self.env = SC2Sim(bare(settings), battles, seed)
        self.rules, self.worth = Rules(self.env), Worth(self.env)

    @torch.no_grad()
    def play(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Worth and whether won, [B] each, of a new battle by rules `rows` [B, types, D]."""
        self.env.reset()
        rows = rows[:, self.rules.kind]  # [B, N, D]
        for step in range(self.env.spec.episode_limit):
            view = self.rules.view(self.env)
            transition = self.env.step(self.rules.act(view, rows, self.rules.team_target(view)))
            if step % 4 == 3 and bool((transition.terminated | transition.truncated).all()):
                break
        won = transition.info["battle_won"]
        return self.worth(self.env.games, won), won


def tune(
    settings: SC2SimSettings, tuning: Tuning, seed: int, report: Callable[[int, float, float], None]
) -> Tensor:
    """The best rule found for each type of agent, [types, D]. `report` hears round, best worth and most wins."""
    arena = Arena(settings, tuning.candidates * tuning.games, seed)
    low, high = torch.tensor(list(RANGES.values())).T
    draw = torch.Generator().manual_seed(seed)
    mean = torch.full((len(arena.rules.kinds), len(low)), 0.5)
    spread, elite = torch.full_like(mean, _SPREAD), mean.unsqueeze(0)
    for number in range(tuning.rounds):
        noise = torch.randn(tuning.candidates, *mean.shape, generator=draw)
        points = torch.cat((mean.unsqueeze(0), elite[: tuning.survivors], mean + spread * noise))
        points = points[: tuning.candidates].clamp(0, 1)
        worth, wins = _trial(arena, torch.lerp(low, high, points))
        order = worth.argsort(descending=True)
        elite = points[order[: tuning.elite]]
        mean = torch.lerp(elite.mean(0), mean, _KEPT)
        spread = torch.lerp(elite.std(0), spread, _KEPT) + _LEAST_SPREAD
        report(number, float(worth.max()), float(wins.max()))
    finalists = torch.lerp(low, high, torch.cat((mean.unsqueeze(0), elite[: tuning.survivors])))
    many = Arena(settings, tuning.final_games * len(finalists), seed + 1)
    return finalists[_trial(many, finalists)[0].argmax()]


def _trial(arena: Arena, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean worth and win rate [C] of candidates `rows` [C, types, D], each in its share of the arena's battles."""
    share = arena.env.batch_size // len(rows)
    worth, won = arena.play(rows.repeat_interleave(share, 0))
    return worth.view(-1, share).mean(1), won.float().view(-1, share).mean(1)


def win_rate(settings: SC2SimSettings, rows: Tensor, battles: int, seed: int) -> float:
    """Share of `battles` new battles won by rules [types, D]; `seed` must not be one that `tune` had."""
    return float(Arena(settings, battles, seed).play(rows.expand(battles, -1, -1))[1].float().mean())
