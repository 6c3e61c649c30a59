"""Rewards of whole battles, and every option against a scalar reading of SMAC's code."""

import pytest
import torch

from cohort.envs.sc2_sim.planes import HEALTH, SHIELD

from .scripts import nearest, play, random_script
from .support import change, make, stop

# Enemies, and their health and shields.
ENEMIES = {"3m": 3, "2s3z": 5, "3s_vs_3z": 3, "MMM": 10, "corridor": 24}
BODIES = {"3m": 3 * 45, "2s3z": 2 * 160 + 3 * 150, "3s_vs_3z": 3 * 150, "MMM": 715, "corridor": 840}
MEDICS = {"MMM": (9, 19)}


def max_reward(map_name: str, death: float = 10, win: float = 200) -> float:
    return BODIES[map_name] + ENEMIES[map_name] * death + win


class ScalarReward:
    """SMAC's `reward_battle` and the end of its `step`, one unit at a time."""

    def __init__(self, n_allies: int, scale: float, options: dict, medics: tuple[int, ...] = ()) -> None:
        self.n, self.scale, self.previous = n_allies, scale, None
        self.medics = medics
        self.death, self.win = options.get("reward_death_value", 10), options.get("reward_win", 200)
        self.defeat = options.get("reward_defeat", 0)
        self.negative = options.get("reward_negative_scale", 0.5)
        self.only_positive = options.get("reward_only_positive", True)
        self.sparse = options.get("reward_sparse", False)

    def __call__(self, bodies: list[tuple[float, float]]) -> float:
        """Bodies are (health, shield) of every unit after the step."""
        previous, self.previous = self.previous, bodies
        reward = 0.0 if self.sparse else self.shaped(previous, bodies)
        living = [i for i, (health, _) in enumerate(bodies) if health > 0]
        allies, enemies = [i for i in living if i < self.n], [i for i in living if i >= self.n]
        if (not allies and enemies) or (self.medics and not set(allies) - set(self.medics)):
            reward = -1 if self.sparse else reward + self.defeat
        elif (allies and not enemies) or (self.medics and enemies == [self.medics[1]]):
            reward = 1 if self.sparse else reward + self.win
        return reward / self.scale

    def shaped(self, previous, bodies) -> float:
        deaths = ally = enemy = 0.0
        for i, (health, shield) in enumerate(bodies):
            before, shield_before = previous[i]
            if before == 0:
                continue
            died = health == 0
            harm = before + shield_before - (0 if died else health + shield)
            if i < self.n:
                ally += self.negative * harm
                deaths -= 0 if self.only_positive else self.death * self.negative * died
            else:
                enemy += harm
                deaths += self.death * died
        return abs(enemy + deaths) if self.only_positive else enemy + deaths - ally


def bodies(env, game: int) -> list[tuple[float, float]]:
    units = env.games.units[:, game].double()
    shields = units[SHIELD] if len(units) > SHIELD else torch.zeros_like(units[HEALTH])
    return list(zip(units[HEALTH].tolist(), shields.tolist(), strict=True))


OPTIONS = [
    {},
    {"reward_only_positive": False},
    {"reward_only_positive": False, "reward_negative_scale": 0.25, "reward_death_value": 3.0},
    {"reward_sparse": True},
    {"reward_sparse": True, "reward_scale": False},
    {"reward_win": 50.0, "reward_defeat": -30.0},
    {"reward_scale": False, "reward_defeat": -1.0, "reward_only_positive": False},
    {"reward_scale_rate": 5.0},
]


@pytest.mark.parametrize(
    ("map_name", "options"),
    [
        *((name, options) for name in ("3m", "2s3z") for options in OPTIONS),
        *((name, options) for name in ("MMM", "corridor") for options in (OPTIONS[1], OPTIONS[5])),
    ],
)
def test_rewards_of_battles_are_smacs(map_name, options):
    games = 8
    env = make(map_name, batch_size=games, seed=2, **options)
    scale = 1.0
    if options.get("reward_scale", True):
        full = max_reward(map_name, options.get("reward_death_value", 10), options.get("reward_win", 200))
        scale = full / options.get("reward_scale_rate", 20)
    scalars = [
        ScalarReward(env.spec.n_agents, scale, options, MEDICS.get(map_name, ())) for _ in range(games)
    ]
    weak = env.games.units[HEALTH].clone()
    weak[::4, env.spec.n_agents :] = 10 if map_name == "MMM" else 20  # some battles are won
    change(env, health=weak)
    for game, scalar in enumerate(scalars):
        scalar.previous = bodies(env, game)
    script = random_script(1)
    finished, outcomes = torch.zeros(games, dtype=torch.bool), set()
    for _ in range(env.spec.episode_limit):
        actions = script(env)
        actions[::2] = nearest(env)[::2]
        transition = env.step(actions)
        for game, scalar in enumerate(scalars):
            if finished[game]:
                assert transition.reward[game] == 0
            else:
                expected = scalar(bodies(env, game))
                assert transition.reward[game].item() == pytest.approx(expected, abs=1e-4)
        finished = transition.terminated
        outcomes |= set(transition.info["battle_won"][finished].tolist())
        if finished.all():
            break
    assert outcomes == {True, False}


def test_a_won_battle_of_marines_sums_to_20_and_a_lost_one_to_less():
    env = make("3m", batch_size=64, seed=1)
    result = play(env, nearest)
    won = result["battle_won"] == 1
    assert 5 < won.sum() < 64
    torch.testing.assert_close(result["return"][won], torch.full_like(result["return"][won], 20.0))
    lost = result["dead_enemies"] < 3
    assert lost.any()
    assert (result["return"][lost] < 20 * (1 - 200 / 365)).all()


def test_enemy_shields_that_recover_pay_the_absolute_value():
    for only_positive, sign in ((True, 1), (False, -1)):
        env = make("3s_vs_3z", reward_only_positive=only_positive)
        change(env, shield=torch.tensor([[80.0, 80, 80, 10, 20, 50]]), cooldown=1e6)
        reward = env.step(stop(env)).reward.item()
        assert reward == pytest.approx(sign * 2 / (max_reward("3s_vs_3z") / 20))


@pytest.mark.parametrize("scale", [True, False])
def test_aders_sparse_reward(scale):
    """-0.1 a step, +10 an enemy, -1 an ally, +200 the win, whatever reward_scale says."""
    env = make("3m", batch_size=64, seed=1, reward_ader_sparse=True, reward_scale=scale)
    total = torch.zeros(64)
    for _ in range(60):
        before = (env.games.units[HEALTH] > 0).float()
        going = ~env.games.terminated
        transition = env.step(nearest(env))
        died = before - (env.games.units[HEALTH] > 0).float()
        won = transition.info["battle_won"] & going
        expected = -0.1 + 10 * died[:, 3:].sum(1) - died[:, :3].sum(1) + 200 * won
        torch.testing.assert_close(transition.reward, expected * going)
        total += transition.reward
    won, losses = transition.info["battle_won"], transition.info["dead_allies"]
    assert won.sum() > 5
    torch.testing.assert_close(total[won], 30 + 200 - 0.1 * env.games.t[won] - losses[won])


def test_a_draw_pays_no_win_and_no_defeat():
    env = make("3m", reward_defeat=-7.0, reward_scale=False)
    place = torch.tensor([[[14.0, 16 + k] for k in range(3)] + [[17.0, 16 + k] for k in range(3)]])
    change(env, place, health=1.0)
    transition = env.step(torch.tensor([[6, 7, 8]]))
    assert transition.terminated.item()
    assert not transition.info["battle_won"].item()
    assert transition.info["dead_allies"].item() == transition.info["dead_enemies"].item() == 3
    assert transition.reward.item() == 3 * (10 + 1)


def test_aders_reward_of_a_perfect_battle():
    """Won with all allies alive in L steps: 10 for each enemy, 200, and -0.1 L; enemies fall to the first shot."""
    for map_name, enemies in (("3m", 3), ("2s3z", 5)):
        env = make(map_name, batch_size=16, seed=1, reward_ader_sparse=True)
        weak = env.games.units[HEALTH].clone()
        weak[:, env.spec.n_agents :] = 1.0
        shields = {"shield": torch.zeros_like(weak)} if map_name == "2s3z" else {}
        change(env, health=weak, **shields)
        total = torch.zeros(16)
        for _ in range(env.spec.episode_limit):
            transition = env.step(nearest(env))
            total += transition.reward
        perfect = transition.info["battle_won"].bool() & (transition.info["dead_allies"] == 0)
        assert perfect.sum() > 3
        expected = 10 * enemies + 200 - 0.1 * env.games.t[perfect]
        torch.testing.assert_close(total[perfect], expected)
