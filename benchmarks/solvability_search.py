"""Model-predictive search: plans, refined by the cross-entropy method on copies of the true battle."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from benchmarks.solvability_model import Model, Worth
from benchmarks.solvability_rules import Rules, row
from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.settings import SC2SimSettings

_AIM = {"health": 1, "distance": 0.05}  # at the weakest in range, rather at a near one
_FLEE = {"free": -99, "away": 1, "wall": 0.7}
LIBRARY = {  # what a plan may tell an agent
    "attack the weakest": row(**_AIM),
    "attack the nearest": row(distance=1),
    "attack whom most can": row(health=0.5, crowd=2, distance=0.05),
    "attack the common target": row(focus=9, **_AIM),
    "shoot from where you stand": row(engage=0, patience=999, hold=1, **_AIM),
    "kite": row(free=7, away=1, near=5, wall=0.7, **_AIM),
    "kite when hunted": row(free=7, hunted=1, away=1, near=6, wall=0.7, **_AIM),
    "flee when hunted": row(hunted=1, near=7, **_AIM, **_FLEE),
    "flee": row(**_FLEE),
    "flee to the left": row(turn=0.8, **_FLEE),
    "flee to the right": row(turn=-0.8, **_FLEE),
    "gather": row(free=-99, together=1),
    "north": row(free=-99, north=1),
    "south": row(free=-99, north=-1),
    "east": row(free=-99, east=1),
    "west": row(free=-99, east=-1),
}
_KEPT = 0.3  # of the chances in a refinement
_SHIFTED = 0.6  # of the chances for the next decision; the rest is uniform
_MUTATED = 0.1  # of a mutated plan's entries
_FINALISTS = 8  # plans that are tried again before one is chosen


@dataclass(frozen=True)
class Effort:
    """How hard to search. A decision takes (rounds + 1) * horizon steps of K games per battle."""

    plans: int = 128  # K, a multiple of 8
    blocks: int = (
        6  # parts of a plan, each with a rule for every agent; the first is played, then all is replanned
    )
    block: int = 2  # steps of a part
    tail: int = 4  # steps for which the last part goes on
    rounds: int = 3  # of refinement per decision
    elite: float = 0.1  # share of the plans from which the next round is drawn

    def __post_init__(self) -> None:
        if self.plans < 2 * _FINALISTS or self.plans % _FINALISTS:
            raise ValueError(
                f"plans is {self.plans}; take a multiple of {_FINALISTS} from {2 * _FINALISTS} on"
            )

    @property
    def horizon(self) -> int:
        """Steps of a rollout."""
        return self.blocks * self.block + self.tail


class Search:
    """Plans for D battles side by side, each from its own rollouts.

    A plan tells every agent a rule of the library per block, [blocks, N], and may name a common target, [blocks]
    (0 to E - 1, or E: the team chooses).
    """

    def __init__(
        self,
        settings: SC2SimSettings,
        battles: int,
        effort: Effort,
        seed: int,
        tuned: Tensor | None = None,
    ) -> None:
        """Prepare the rollouts.

        Args:
            settings: the map and its options.
            battles: D.
            effort: how hard to search.
            seed: of plans and rollouts; the true battles must have another.
            tuned: [N, D] a rule for each agent that joins the library and is what the first plans do.
        """
        self.effort, self.battles = effort, battles
        self.model = Model(settings, battles, effort.plans, seed)
        self.rules, self.worth = Rules(self.model.env), Worth(self.model.env)
        n = self.rules.n
        library = torch.tensor(list(LIBRARY.values())).unsqueeze(1).expand(-1, n, -1)
        self.library = library if tuned is None else torch.cat((library, tuned.unsqueeze(0)))  # [M, N, D]
        self.draw = torch.Generator().manual_seed(seed)
        m, foes = len(self.library), self.rules.n_enemies + 1  # the last: nobody is named, the team chooses
        self.chances = torch.full((battles, effort.blocks, n, m), 1 / m)
        self.target_chances = torch.full((battles, effort.blocks, foes), 1 / foes)
        self.best = (
            torch.full((battles, effort.blocks, n), m - 1 if tuned is not None else 0),
            torch.full((battles, effort.blocks), foes - 1),
        )

    @torch.no_grad()
    def decide(self, true: SC2Sim) -> tuple[Tensor, Tensor]:
        """The best plans found for the battles of `true`: rules [D, blocks, N] and targets [D, blocks]."""
        former = self.best
        for number in range(self.effort.rounds):
            rules, targets = self.plans(varied=number == 0)
            finalists = self.refine(rules, targets, self.rollout(true, rules, targets))
        pairs = zip(finalists, former, strict=True)
        self.best = self.choose(true, *(torch.cat((new, old.unsqueeze(1)), 1) for new, old in pairs))
        return self.best

    def choose(self, true: SC2Sim, *finalists: Tensor) -> tuple[Tensor, Tensor]:
        """The best of some plans, [D, 8, ...] each, by many rollouts: one rollout flatters the luckiest plan."""
        tries = self.effort.plans // _FINALISTS
        worth = self.rollout(true, *(plans.repeat_interleave(tries, 1) for plans in finalists))
        best = worth.view(self.battles, _FINALISTS, tries).mean(2).argmax(1)
        rules, targets = (plans[torch.arange(self.battles), best] for plans in finalists)
        return rules, targets

    def advance(self) -> None:
        """The first block has been played: plans begin with their second, and doubts are renewed."""
        self.best = tuple(_later(plan) for plan in self.best)
        self.chances = _SHIFTED * _later(self.chances) + (1 - _SHIFTED) / self.chances.shape[-1]
        self.target_chances = (
            _SHIFTED * _later(self.target_chances) + (1 - _SHIFTED) / self.target_chances.shape[-1]
        )

    @torch.no_grad()
    def act(self, env: SC2Sim, rules: Tensor, targets: Tensor) -> Tensor:
        """Actions [B, N] of one step by rules [B, N] of the library and common targets [B]."""
        agents, view = torch.arange(self.rules.n), self.rules.view(env)
        targets = torch.where(targets == self.rules.n_enemies, self.rules.team_target(view), targets)
        return self.rules.act(view, self.library[rules, agents], targets)

    def rollout(self, true: SC2Sim, rules: Tensor, targets: Tensor) -> Tensor:
        """Worth [D, K] of plans: rules [D, K, blocks, N] and targets [D, K, blocks]."""
        self.model.follow(true)
        rules, targets = rules.flatten(0, 1), targets.flatten(0, 1)
        for step in range(self.effort.horizon):
            block = min(step // self.effort.block, self.effort.blocks - 1)
            self.model.step(self.act(self.model.env, rules[:, block], targets[:, block]))
        return self.worth(self.model.env.games, self.model.won).view(self.battles, -1)

    def plans(self, varied: bool) -> tuple[Tensor, Tensor]:
        """Plans to try, rules [D, K, blocks, N] and targets [D, K, blocks]; the last is the best so far.

        With `varied` three quarters are no draws from the present chances: the best plan mutated, one rule for each
        agent all the time, one rule for all agents all the time.
        """
        quarter, shape = self.effort.plans // 4, (self.battles, self.effort.plans // 4)
        rules, targets = self._draw(self.chances), self._draw(self.target_chances)
        if varied:
            m, n = len(self.library), self.rules.n
            best = self.best[0].unsqueeze(1)
            mutated = torch.rand(rules[:, :quarter].shape, generator=self.draw) < _MUTATED
            rules[:, :quarter] = torch.where(mutated, rules[:, :quarter], best)
            rules[:, quarter : 2 * quarter] = torch.randint(m, (*shape, 1, n), generator=self.draw)
            rules[:, 2 * quarter : 3 * quarter] = torch.randint(m, (*shape, 1, 1), generator=self.draw)
        rules[:, -1], targets[:, -1] = self.best
        return rules, targets

    def refine(self, rules: Tensor, targets: Tensor, worth: Tensor) -> tuple[Tensor, Tensor]:
        """Make what the plans of most `worth` [D, K] have in common more likely; returns the best 7 of them."""
        count = max(_FINALISTS - 1, round(self.effort.elite * self.effort.plans))
        top = worth.topk(count, 1).indices
        battle = torch.arange(self.battles).unsqueeze(1)
        rules, targets = rules[battle, top], targets[battle, top]
        self.best = rules[:, 0], targets[:, 0]
        self.chances = _towards(self.chances, rules)
        self.target_chances = _towards(self.target_chances, targets)
        return rules[:, : _FINALISTS - 1], targets[:, : _FINALISTS - 1]

    def _draw(self, chances: Tensor) -> Tensor:
        """K independent draws [D, K, ...] from `chances` [D, ..., M]."""
        flat = chances.flatten(0, -2)
        drawn = torch.multinomial(flat, self.effort.plans, replacement=True, generator=self.draw)
        return drawn.view(*chances.shape[:-1], -1).movedim(-1, 1)


def _later(plan: Tensor) -> Tensor:
    """[D, blocks, ...] one block on; the last block is repeated."""
    return torch.cat((plan[:, 1:], plan[:, -1:]), 1)


def _towards(chances: Tensor, elite: Tensor) -> Tensor:
    """Chances [D, ..., M] drawn towards the frequencies among `elite` [D, elite, ...]."""
    return _KEPT * chances + (1 - _KEPT) * one_hot(elite, chances.shape[-1]).float().mean(1)


def play(true: SC2Sim, search: Search, report: Callable[[SC2Sim], None]) -> dict[str, Tensor]:
    """Play D battles by search to their end: [D] returns, lengths and outcomes. `report` hears of every decision."""
    true.reset()
    total, ended = torch.zeros(true.batch_size), False
    while not ended:
        rules, targets = search.decide(true)
        for _ in range(search.effort.block):
            transition = true.step(search.act(true, rules[:, 0], targets[:, 0]))
            total += transition.reward
        search.advance()
        report(true)
        ended = bool((transition.terminated | transition.truncated).all())
    return {"return": total, "length": true.games.t, **transition.info}
