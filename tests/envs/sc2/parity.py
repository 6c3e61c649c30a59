"""Does `SC2Sim` see, allow and reward what SMAC does? oxwhirl's unmodified smac plays beside it.

smac drives the stand-in, in which a `SC2Sim` fights; a second `SC2Sim` with the same seed gets the same actions here.
smac computes everything from the units the stand-in shows, the second simulator from its own tensors, and after
every reset and step they must agree.

    python -m tests.envs.sc2.parity --episodes 20          # a table of all maps; exit status 1 if they disagree
    python -m tests.envs.sc2.parity --policy results/<run> # of the run's map, played by the team that it taught
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.maps import all_maps
from cohort.envs.sc2_sim.observe import SHOOT, SIGHT
from cohort.envs.sc2_sim.planes import FIRST_ATTACK, HEALTH, STOP
from cohort.envs.sc2_sim.settings import SC2SimSettings
from cohort.policy import Policy, load_policy
from tests.envs.sc2.parity_variants import VARIANTS
from tests.envs.sc2.stand_in_installation import make_installation, missing_packages
from tests.envs.sc2.stand_in_world import weaken_enemies

TOLERANCE = 1e-5  # relative to 1 or to the value, whichever is larger


@dataclass
class Report:
    """What comparing one map brought."""

    map_name: str
    counts: Counter[str] = field(default_factory=Counter)  # of episodes, steps, ties ...
    deviations: dict[str, float] = field(default_factory=dict)  # the largest of each quantity
    disagreements: dict[str, str] = field(default_factory=dict)  # the first of each variant and quantity

    def compare(self, quantity: str, smac: Any, own: Any, variant: int, where: str) -> None:
        """Record by how much two arrays, or two facts, differ."""
        smac, own = np.asarray(smac, np.float64), np.asarray(own, np.float64)
        if smac.shape == own.shape:
            gap = np.abs(smac - own) / np.maximum(1, np.abs(smac))
            worst = float(gap.max(initial=0.0))
            at = np.unravel_index(gap.argmax(), gap.shape)
            text = f"{list(map(int, at))} is {smac[at]:.7g} in SMAC, {own[at]:.7g} here"
        else:
            worst, text = np.inf, f"has shape {smac.shape} in SMAC, {own.shape} here"
        self.deviations[quantity] = max(self.deviations.get(quantity, 0.0), worst)
        if not worst <= TOLERANCE:
            self.counts["disagreements"] += 1
            what = f"variant {variant}, {quantity}"
            self.disagreements.setdefault(what, f"{text} ({where})")


class Match:
    """smac and a simulator of the same settings, playing the same episodes of one map."""

    def __init__(self, report: Report, number: int, seed: int, folder: Path) -> None:
        """Start both.

        Args:
            report: where to record.
            number: of the variant.
            seed: of the battles and of the actions.
            folder: for the installation of the stand-in.
        """
        from smac.env import StarCraft2Env

        self.report, self.number, self.where = report, number, "at the start"
        self.rng = np.random.default_rng(seed)
        variant, name = VARIANTS[number], report.map_name
        knobs = {
            "battle": {**variant.battle, "move_amount": variant.arguments.get("move_amount", 2)},
            "enemy_health": variant.enemy_health,
            "old_pathing": variant.old_pathing,
        }
        os.environ.update(make_installation(folder, **knobs))
        settings = SC2SimSettings(map_name=name, **variant.battle, **variant.arguments)
        self.own = SC2Sim(settings, batch_size=1, seed=seed)
        self.smac = StarCraft2Env(map_name=name, seed=seed, **variant.arguments)
        if variant.limit:
            self.smac.episode_limit = variant.limit
        for key, size in self.own.get_env_info().items():
            self.check(key, self.smac.get_env_info()[key], size)

    def check(self, quantity: str, smac: Any, own: Any) -> None:
        """Compare one quantity now."""
        self.report.compare(quantity, smac, own, self.number, self.where)

    def play(self, episode: int, choose: Callable[[], Sequence[int]]) -> None:
        """One episode in which the team acts as `choose` says, which is asked at every step."""
        self.begin()
        weaken_enemies(self.own, VARIANTS[self.number].enemy_health)
        over, step = False, 0
        while not over:
            self.where = f"episode {episode}, step {step}"
            self._check_sights()
            actions = list(choose())
            reward, over, info = self.smac.step(actions)
            if not info:
                raise RuntimeError(
                    f"{self.where}: smac restarted the game, so the stand-in failed; see above"
                )
            transition = self.own.step(torch.tensor([actions]))
            step += 1
            truncated = transition.truncated.item()
            theirs, ours = self.reward_units()
            self.check("reward", reward / theirs, transition.reward.item() / ours)
            self.check("terminated", over, transition.terminated.item() or truncated)
            self.check("episode_limit", info.get("episode_limit", False), truncated)
            for key, value in transition.info.items():
                self.check(key, info[key], value.item())
        self._check_sights()
        self.report.counts.update(
            episodes=1,
            steps=step,
            wins=info["battle_won"],
            kills=info["dead_enemies"],
            losses=info["dead_allies"],
            timeouts=step >= self.own.spec.episode_limit,
        )

    def begin(self) -> None:
        """Begin the same episode in both."""
        self.smac.reset()
        self.own.reset()

    def reward_units(self) -> tuple[float, float]:
        """By what rewards of smac and of the simulator are divided before they are compared."""
        # Unscaled rewards are differences of float32 sums of hundreds; 1e-5 is asked of them as scaled.
        unit = 1 if self.smac.reward_scale else self.smac.max_reward / self.smac.reward_scale_rate
        return unit, unit

    def sights(self) -> tuple[np.ndarray, np.ndarray]:
        """smac's observations [N, O] and state [S]."""
        smac = self.smac
        obs, state = np.stack(smac.get_obs()), smac.get_state()
        if smac.obs_timestep_number:
            # SMAC leaves a zero before the time, which makes the vectors longer than get_obs_size() says.
            self.check("zero", obs[:, -2], np.zeros(len(obs)))
            obs = np.delete(obs, -2, 1)
        return obs, state

    def ranges(self) -> np.ndarray:
        """[N or 1, 2] metres of sight and shot."""
        return np.array([[SIGHT, SHOOT]])

    def _check_sights(self) -> None:
        smac, seen = self.smac, self.own.observation
        obs, state = self.sights()
        available = np.array(smac.get_avail_actions(), bool)
        own = seen.obs[0].numpy(), seen.available_actions[0].numpy()
        if obs.shape == own[0].shape:
            tied = self._on_the_edge() & (
                (np.abs(obs - own[0]) > TOLERANCE).any(1) | (available != own[1]).any(1)
            )
            self.report.counts["ties"] += int(tied.sum())
            obs[tied], available[tied] = own[0][tied], own[1][tied]
        if smac.obs_instead_of_state:
            state = obs.flatten()
        self.check("obs", obs, own[0])
        self.check("state", state, seen.state[0])
        self.check("available", available, own[1])

    def _on_the_edge(self) -> np.ndarray:
        """[N] who has a unit at the range of sight or shot, within rounding.

        The game counts coordinates from the map's corner, the simulator from its centre. In float32 the two may
        then fall on different sides of the range; neither is wrong.
        """
        at = np.array(
            [(u.pos.x, u.pos.y) for team in (self.smac.agents, self.smac.enemies) for u in team.values()]
        )
        distance = np.hypot(*(at[: self.smac.n_agents, None] - at).transpose(2, 0, 1))
        return (np.abs(distance[..., None] - self.ranges()[:, None]) < TOLERANCE).any((1, 2))

    def act(self, charge: bool) -> list[int]:
        """Actions available in both, at random; a charge is nine times in ten an attack or a move towards an enemy."""
        ours = self.own.observation.available_actions[0].numpy()
        both = np.array(self.smac.get_avail_actions(), bool) & ours
        return [
            self._charge(agent, allowed)
            if charge and self.rng.random() < 0.9
            else int(self.rng.choice(np.flatnonzero(allowed)))
            for agent, allowed in enumerate(both)
        ]

    def _charge(self, agent: int, allowed: np.ndarray) -> int:
        """Attack (or heal) the first unit possible, else approach the nearest enemy."""
        attacks = np.flatnonzero(allowed[FIRST_ATTACK:])
        if len(attacks):
            return FIRST_ATTACK + int(attacks[0])
        units, n = self.own.games.units[:, 0].numpy(), self.own.spec.n_agents
        gap = units[:2, n:] - units[:2, agent, None]
        gap = gap[:, units[HEALTH, n:] > 0]
        if not allowed[STOP] or not gap.size:
            return int(np.flatnonzero(allowed)[0])
        x, y = gap[:, np.abs(gap).max(0).argmin()]
        east_west, north_south = (4 if x > 0 else 5), (2 if y > 0 else 3)
        wishes = [east_west, north_south] if abs(x) > abs(y) else [north_south, east_west]
        return next((wish for wish in wishes if allowed[wish]), STOP)


def compare_map(map_name: str, episodes: int, seed: int, numbers: list[int] | None = None) -> Report:
    """Play `episodes` episodes of one map, spread over the variants (all, or those in `numbers`)."""
    report, facts = Report(map_name), all_maps()[map_name]
    numbers = numbers or _spread(map_name, episodes)
    for index, number in enumerate(numbers):
        limit = VARIANTS[number].limit or facts.episode_limit
        all_maps()[map_name] = dataclasses.replace(facts, episode_limit=limit)
        try:
            play_variant(Match, report, numbers, index, episodes, seed)
        finally:
            all_maps()[map_name] = facts
    return report


def play_variant(
    make: type["Match"], report: Report, numbers: list[int], index: int, episodes: int, seed: int
) -> None:
    """Those of `episodes` episodes that fall to the variant at place `index` of `numbers`."""
    with opened(make, report, numbers[index], seed + numbers[index]) as match:
        for episode, turn in enumerate(range(index, episodes, len(numbers))):
            charge = (index + turn // len(numbers)) % 2 == 0
            match.play(episode, partial(match.act, charge))


@contextmanager
def opened(make: type[Match], report: Report, number: int, seed: int) -> Iterator[Match]:
    """A match of a variant, with an installation of the stand-in of its own; smac's game is closed at the end."""
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        match = make(report, number, seed, Path(folder))
        try:
            yield match
        finally:
            match.smac.close()


def compare_learned(run: Path, episodes: int, seed: int) -> Report:
    """`episodes` episodes of the map that a run learned, with SMAC's own settings, played by its team."""
    policy = load_policy(run)
    report = Report(policy.plan.config["env_args"]["map_name"])
    with opened(Match, report, 0, seed) as match:
        for episode in range(episodes):
            match.play(episode, learned(policy, match))
    return report


def learned(policy: Policy, match: Match) -> Callable[[], list[int]]:
    """What a trained team chooses in an episode, step by step; it sees what the simulator shows."""
    memory = policy.begin(games=1)

    def choose() -> list[int]:
        nonlocal memory
        actions, memory = policy.act(match.own.observation, memory)
        return actions[0].tolist()

    return choose


def _spread(map_name: str, episodes: int) -> list[int]:
    """Numbers of as many variants as the episodes suffice for, two each; which ones depends on the map."""
    many = min(len(VARIANTS), max(1, episodes // 2))
    first = sorted(all_maps()).index(map_name)
    return [(first + step) % len(VARIANTS) for step in range(many)]


_COUNTS = ("episodes", "steps", "wins", "kills", "losses", "timeouts", "ties")
_NUMBERS = ("obs", "state", "reward")
_FACTS = ("available", "terminated", "battle_won", "dead_allies", "dead_enemies")


def header() -> str:
    """The first two lines of a Markdown table: counts, largest deviations, facts."""
    names = ["map", *_COUNTS, *_NUMBERS, *_FACTS]
    return f"| {' | '.join(names)} |\n{'|---' * len(names)}|"


def row(report: Report) -> str:
    """One line of the table."""
    cells = [report.map_name, *(str(report.counts[name]) for name in _COUNTS)]
    cells += [f"{report.deviations[name]:.1e}" for name in _NUMBERS]
    cells += ["DIFFERENT" if report.deviations[name] else "same" for name in _FACTS]
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> int:
    """Compare smac's maps; the exit status."""
    return compare_all(arguments, __doc__, list(all_maps()), None, compare_map, "smac", compare_learned)


def compare_all(
    arguments: list[str] | None,
    description: str,
    maps: Sequence[str],
    variants: list[int] | None,
    compare: Callable[[str, int, int, list[int] | None], Report],
    package: str,
    compare_learned: Callable[[Path, int, int], Report] | None = None,
) -> int:
    """Read the command line, compare with `package`, print the table or JSON, and return the exit status."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--maps", nargs="+", default=maps, help="default: all the simulator plays")
    parser.add_argument("--episodes", type=int, default=2, help="of each map")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--variants",
        nargs="+",
        type=int,
        default=variants,
        help=f"0..{len(VARIANTS) - 1}; default: {variants or 'spread'}",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object for each map")
    if compare_learned:
        parser.add_argument("--policy", type=Path, metavar="RUN", help="the run's map, played by its team")
    options = parser.parse_args(arguments)
    if missing_packages(package):
        print(missing_packages(package), file=sys.stderr)
        return 2
    os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
    torch.set_num_threads(1)
    if not options.json:
        print(header())
    if compare_learned and options.policy:
        comparisons = [partial(compare_learned, options.policy, options.episodes, options.seed)]
    else:
        comparisons = [
            partial(compare, name, options.episodes, options.seed, options.variants) for name in options.maps
        ]
    reports = []
    for comparison in comparisons:
        reports.append(comparison())
        print(json.dumps(vars(reports[-1])) if options.json else row(reports[-1]), flush=True)
    if not options.json:
        for report in reports:
            for what, text in report.disagreements.items():
                print(f"{report.map_name}, {what} {text}")
    return int(any(report.disagreements for report in reports))


if __name__ == "__main__":
    sys.exit(main())
