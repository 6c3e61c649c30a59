"""Observations, states and available actions against a scalar reading of SMAC's definition."""

import json
import math
from importlib import resources

import numpy as np
import pytest
import torch

from cohort.envs.sc2_sim.env import SC2Sim

from .support import change, make, positions

# health, shield, max cooldown; typed from the specification, not from the simulator's catalogue.
BODY = {
    "m": (45, 0, 15), "M": (125, 0, 25), "d": (150, 0, 200), "s": (80, 80, 35), "z": (100, 50, 22),
    "c": (200, 150, 24), "h": (80, 0, 10), "l": (35, 0, 11), "b": (30, 0, 1),
}  # fmt: skip
ARMIES = {  # allies in the order of their type ids, enemies in that of their creation, unit type bits
    "3m": ("mmm", "mmm", 0),
    "2s3z": ("sszzz", "sszzz", 2),
    "3s_vs_5z": ("sss", "zzzzz", 0),
    "MMM": ("MMmmmmmmmd", "mmmmmmmMMd", 3),
    "MMM2": ("MMmmmmmmmd", "mmmmmmmmMMMd", 3),
    "1c3s5z": ("csssz" + "zzzz", "csssz" + "zzzz", 3),
    "6h_vs_8z": ("hhhhhh", "zzzzzzzz", 0),
    "bane_vs_bane": ("bbbb" + 20 * "l", 20 * "l" + "bbbb", 2),
    "2c_vs_64zg": ("cc", 64 * "l", 0),
}
TYPE_ORDER = {"2s3z": "sz", "MMM": "Mmd", "MMM2": "Mmd", "1c3s5z": "csz", "bane_vs_bane": "bl"}
ENEMY_TYPE_ORDER = {**TYPE_ORDER, "2s3z": "zs"}
PROTOSS = "szc"


def ground(map_name: str) -> list[str]:
    data = json.loads(resources.files("cohort.envs.sc2_sim").joinpath("maps.json").read_text())
    return data["terrains"][data["maps"][map_name]["terrain"]]


def is_walkable(rows: list[str], x: int, y: int) -> bool:
    return 0 <= x < 32 and 0 <= y < 32 and rows[31 - y][x] != "."


class Scalar:
    """SMAC's definitions for one game, one number at a time."""

    def __init__(self, env: SC2Sim, game: int, map_name: str, last: np.ndarray, t: int) -> None:
        allies, enemies, self.bits = ARMIES[map_name]
        self.kinds, self.n = allies + enemies, len(allies)
        self.place = positions(env)[game].double().numpy()
        planes = env.games.units[:, game].double().numpy()
        self.health, self.cooldown = planes[2], np.maximum(planes[3], 0)
        self.shield = planes[4] if len(planes) > 4 else np.zeros(len(self.kinds))
        self.energy = planes[6] if len(planes) > 6 else None
        self.types = TYPE_ORDER.get(map_name), ENEMY_TYPE_ORDER.get(map_name)
        self.rows, self.last, self.t, self.limit = ground(map_name), last, t, env.spec.episode_limit

    def distance(self, i: int, j: int) -> float:
        return math.hypot(*(self.place[j] - self.place[i]))

    def body(self, j: int, enemy: bool) -> list[float]:
        full, shield, _ = BODY[self.kinds[j]]
        values = [self.health[j] / full] + ([self.shield[j] / shield] if self.kinds[j] in PROTOSS else [])
        return values + self.kind(j, enemy)

    def kind(self, j: int, enemy: bool) -> list[float]:
        bits = [0.0] * self.bits
        if bits:
            bits[self.types[enemy].index(self.kinds[j])] = 1.0
        return bits

    def available(self, i: int) -> list[int]:
        enemies = range(self.n, len(self.kinds))
        if self.health[i] <= 0:
            return [1] + [0] * (5 + len(enemies))
        targets = [self.health[j] > 0 and self.distance(i, j) <= 6 for j in enemies]
        if self.kinds[i] == "d":
            for j in range(len(enemies)):
                targets[j] = (
                    j < self.n and self.kinds[j] != "d" and self.health[j] > 0 and self.distance(i, j) <= 6
                )
        x, y = self.place[i]
        cells = [(x, y + 1), (x, y - 1), (x + 1, y), (x - 1, y)]
        moves = [int(is_walkable(self.rows, int(a), int(b))) for a, b in cells]
        return [0, 1, *moves, *map(int, targets)]

    def obs(self, i: int) -> np.ndarray:
        available, values = self.available(i), []
        others = [*range(self.n, len(self.kinds)), *(j for j in range(self.n) if j != i)]
        for j in others:
            enemy = j >= self.n
            first = available[6 + j - self.n] if enemy else 1
            gap = self.place[j] - self.place[i]
            block = [first, self.distance(i, j) / 9, gap[0] / 9, gap[1] / 9, *self.body(j, enemy)]
            seen = self.health[j] > 0 and self.distance(i, j) < 9
            values += block if seen else [0.0] * len(block)
        values = available[2:6] + values + self.body(i, False)
        return np.array(values) * (self.health[i] > 0)

    def state(self) -> np.ndarray:
        values: list[float] = []
        for j, kind in enumerate(self.kinds):
            enemy = j >= self.n
            body = self.body(j, enemy)
            x, y = (self.place[j] - 16) / 32
            clock = self.energy[j] if kind == "d" else self.cooldown[j]
            block = [body[0], *([] if enemy else [clock / BODY[kind][2]]), x, y, *body[1:]]
            values += block if self.health[j] > 0 else [0.0] * len(block)
        return np.array([*values, *self.last.flatten()])


def scatter(env: SC2Sim, seed: int) -> np.ndarray:
    """Put every game of `env` in a random state; returns last actions as one-hots [B, N, A]."""
    random = np.random.default_rng(seed)
    batch, units = env.batch_size, env.battle.n_units
    place = np.stack((random.uniform(2, 29.99, (batch, units)), random.uniform(7, 24.99, (batch, units))), 2)
    place[: batch // 2] = place[: batch // 2].round()  # on borders of cells, and at round distances
    place = np.minimum(place, [29.5, 24.5])
    shape = (batch, units)
    full = env.battle.constants
    health = torch.tensor(random.uniform(0.01, 1, shape) * (random.random(shape) < 0.8)).float() * full.health
    shield = torch.tensor(random.uniform(0, 1, shape) * (random.random(shape) < 0.7)).float() * full.shield
    actions = torch.tensor(random.integers(0, env.spec.n_actions, (batch, env.spec.n_agents)))
    change(
        env,
        torch.tensor(place).float(),
        health=health,
        shield=shield if full.layered else None,
        energy=torch.tensor(random.uniform(0, 200, shape)).float() if env.battle.healing else None,
        cooldown=torch.tensor(random.uniform(-20, 30, shape)).float(),
        actions=actions,
    )
    return np.eye(env.spec.n_actions)[actions.numpy()]


@pytest.mark.parametrize("map_name", ARMIES)
def test_random_states_are_seen_as_smac_defines(map_name):
    armies = ARMIES[map_name]
    games = 100 if len(armies[0]) + len(armies[1]) < 12 else 16
    env = make(map_name, batch_size=games)
    last = scatter(env, seed=3)
    seen = env.observation
    deaths = 0
    for game in range(games):
        scalar = Scalar(env, game, map_name, last[game], t=0)
        for i in range(scalar.n):
            assert seen.available_actions[game, i].tolist() == scalar.available(i)
            np.testing.assert_allclose(seen.obs[game, i], scalar.obs(i), atol=2e-6)
            deaths += scalar.health[i] <= 0
        np.testing.assert_allclose(seen.state[game], scalar.state(), atol=2e-6)
    assert deaths > 2
    assert seen.obs.dtype == seen.state.dtype == torch.float32
    assert seen.available_actions.dtype == torch.bool


def test_feature_positions_of_3m():
    env = make("3m")
    place = torch.tensor([[[9.0, 16], [10, 16], [9, 18], [14, 16], [23, 16], [9, 20]]])
    change(env, place, health=torch.tensor([[45.0, 9, 18, 36, 45, 27]]))
    obs, state = env.observation.obs[0, 0], env.observation.state[0]
    assert obs[:4].tolist() == [1, 1, 1, 1]
    torch.testing.assert_close(obs[4:9], torch.tensor([1, 5 / 9, 5 / 9, 0, 0.8]))  # enemy 0 at 4
    assert obs[9:14].tolist() == [0] * 5  # enemy 1 out of sight
    torch.testing.assert_close(obs[19:24], torch.tensor([1, 1 / 9, 1 / 9, 0, 0.2]))  # other allies from 19
    assert obs[29] == 1  # own health
    torch.testing.assert_close(state[4:8], torch.tensor([0.2, 0, -6 / 32, 0]))  # ally 1 at 4
    torch.testing.assert_close(state[12:15], torch.tensor([0.8, -2 / 32, 0]))  # enemies from 12
    assert state[21:].tolist() == [0] * 27  # no last actions yet


@pytest.mark.parametrize(
    ("x", "y", "moves"),
    [
        (16.0, 23.999, [1, 1, 1, 1]),  # int(24.999) = 24, the last walkable row
        (16.0, 24.0, [0, 1, 1, 1]),
        (16.0, 8.0, [1, 1, 1, 1]),  # int(7.0)
        (16.0, 7.999, [1, 0, 1, 1]),  # int(6.999) = 6
        (28.999, 16.0, [1, 1, 1, 1]),
        (29.0, 16.0, [1, 1, 0, 1]),
        (3.0, 16.0, [1, 1, 1, 1]),
        (2.999, 16.0, [1, 1, 1, 0]),
    ],
)
def test_moves_follow_the_int_rule_at_borders_of_cells(x, y, moves):
    env = make("3m")
    place = positions(env)
    place[0, 0] = torch.tensor([x, y])
    change(env, place)
    assert env.observation.available_actions[0, 0, 2:6].tolist() == moves
    assert env.observation.obs[0, 0, :4].tolist() == moves


def test_enemy_type_ids_can_be_the_allies():
    swapped, same = make("2s3z"), make("2s3z", enemy_type_ids_swapped=False)
    enemies = slice(5 * 7 + 3, 5 * 7 + 5)  # enemy 0, a stalker: allies take 5 x 7, then health, x, y, shield
    assert swapped.observation.state[0, enemies.start + 1 : enemies.stop + 1].tolist() == [0, 1]
    assert same.observation.state[0, enemies.start + 1 : enemies.stop + 1].tolist() == [1, 0]


def test_optional_features_are_where_smac_puts_them():
    plain = make("3m").observation
    env = make(
        "3m", obs_pathing_grid=True, obs_terrain_height=True, obs_last_action=True, obs_timestep_number=True,
        state_timestep_number=True,
    )  # fmt: skip
    place = torch.tensor([[[3.5, 8.5], [4.5, 8.5], [23, 24], [14, 16], [23, 16], [29, 7]]])
    change(env, place, actions=torch.tensor([[5, 1, 3]]), t=torch.tensor([15]))
    obs, rows = env.observation.obs[0], ground("3m")
    around = [(0, 4), (0, -4), (4, 0), (-4, 0), (2, 2), (-2, -2), (2, -2), (-2, 2), (0, 0)]
    cells = [(3 + dx, 8 + dy) for dx, dy in around]
    inside = [0 <= x < 32 and 0 <= y < 32 for x, y in cells]
    pathing = [is_walkable(rows, *cell) or not known for cell, known in zip(cells, inside, strict=True)]
    assert False in inside
    assert obs[0, 4:12].tolist() == [float(value) for value in pathing[:8]]
    heights = [
        128 / 255 * is_walkable(rows, *cell) if known else 1
        for cell, known in zip(cells, inside, strict=True)
    ]
    assert obs[0, 12:21].tolist() == pytest.approx(heights)
    first_ally = 21 + 3 * 5
    assert obs[0, first_ally + 5 : first_ally + 14].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0]  # ally 1 stopped
    assert obs[0, first_ally + 14 : first_ally + 28].tolist() == [0] * 14  # ally 2 is out of sight
    assert obs[0, -2:].tolist() == [1, 0.25]
    assert env.observation.state[0, -1] == 0.25
    assert plain.state.shape[1] + 1 == env.observation.state.shape[1]


def test_hidden_health_and_observations_as_state():
    env = make("2s3z", obs_all_health=False, obs_own_health=False, obs_instead_of_state=True)
    obs = env.observation.obs[0]
    allies = obs[0, 4 + 5 * 6 : -2].view(4, 6)
    assert allies[:, 0].tolist() == [1, 1, 1, 1]
    assert allies[:, 4:].tolist() == [[1, 0], [0, 1], [0, 1], [0, 1]]  # types follow the position at once
    assert obs[0, -2:].tolist() == [1, 0]
    assert torch.equal(env.observation.state[0], obs.flatten())
