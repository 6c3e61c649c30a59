"""Where enemies go on their own."""

import pytest
import torch

from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.march import formation
from cohort.envs.sc2_sim.planes import SOUTH, STOP, X, Y

from .support import FOREVER, change, disarm_enemies, make, positions, stop


def test_the_zealots_goal_is_uniform_between_the_two_marines():
    env = make("2m_vs_1z", batch_size=2000, seed=3)
    goal = env.battle.march.goals(env.games.keys)[:, :, 0] + 16.0
    assert goal[Y].unique().tolist() == [12.0]
    fraction = (goal[X] - 13) / 6
    assert fraction.min() >= 0
    assert fraction.max() < 1
    assert fraction.mean().item() == pytest.approx(0.5, abs=3 * (1 / 12 / 2000) ** 0.5)
    assert fraction.std().item() == pytest.approx((1 / 12) ** 0.5, rel=0.05)
    env.reset()
    assert not torch.equal(env.battle.march.goals(env.games.keys)[X, :, 0] + 16.0, goal[X])


def test_the_zealot_walks_there_also_after_a_resume():
    env = make("2m_vs_1z", batch_size=4, seed=3)
    goal = env.battle.march.goals(env.games.keys)[:, :, 0].T + 16.0
    hidden = positions(env)
    hidden[:, :2] = torch.tensor([[5.5, 21.0], [26.0, 21.0]])  # beyond its notice
    change(env, hidden)
    env.step(stop(env))
    other = SC2Sim(env.settings, 4, seed=99)
    other.load_state_dict(env.state_dict())
    for _ in range(9):
        other.step(stop(other))
    torch.testing.assert_close(positions(other)[:, 2], goal, atol=1e-3, rtol=0)


def arrival(map_name: str, goal: tuple[float, float]) -> float:
    """Seconds until most enemies have come within 3 m of their goal, with nobody in the way."""
    env = make(map_name, batch_size=1)
    place = positions(env)
    n = env.spec.n_agents
    env.battle.senses.acquire.fill_(-1.0)
    env.battle.senses.answer.fill_(-1.0)
    place[:, :n] = torch.tensor([27.0, 20.0]) + torch.arange(n).view(1, -1, 1) * 0.1
    change(env, place, health=torch.where(torch.arange(env.battle.n_units) < n, FOREVER, 35.0))
    steps = 0
    while ((positions(env)[0, n:] - torch.tensor(goal)).norm(dim=1) < 3).float().mean() < 0.5:
        env.step(stop(env))
        steps += 1
        assert steps < 100
    return steps / 2


def test_zerglings_come_through_the_corridor_on_the_shortest_way():
    assert arrival("corridor", (4.47, 4.33)) == pytest.approx(33.5 / 2.9531, rel=0.2)


def test_banelings_come_round_the_bends():
    assert arrival("so_many_baneling", (4.47, 4.33)) < 1.25 * 33.5 / 2.5


def test_zerglings_go_round_the_ridge_and_colossi_across():
    """From (16, 9) to a colossus at (16, 17): zerglings must use a ramp at the side."""
    env = make("2c_vs_64zg")
    place = positions(env)
    place[0, :2] = torch.tensor([[16.0, 17.0], [15.0, 17.5]])
    units = torch.arange(66)
    change(env, place, health=torch.where(units < 3, FOREVER, 0.0))
    disarm_enemies(env)
    sideways, steps = 0.0, 0
    while (positions(env)[0, 2] - positions(env)[0, 0]).norm() > 1.5:
        env.step(stop(env))
        sideways = max(sideways, abs(positions(env)[0, 2, 0].item() - 16))
        steps += 1
        assert steps < 60
    assert sideways > 8
    assert steps / 2 > 15 / 2.9531
    place[0, 0] = torch.tensor([16.0, 14.05])  # SMAC offers no step whose middle is on the cliff
    change(env, place)
    for _ in range(4):
        env.step(torch.tensor([[SOUTH, STOP]]))
    torch.testing.assert_close(positions(env)[0, 0], torch.tensor([16, 14.05 - 4 * 1.125]), atol=1e-3, rtol=0)


def test_a_compact_group_keeps_its_formation_and_a_wide_one_meets():
    """Game data, MixedFormationDiameter 6: the box around a group, bodies included, is at most 6 m wide and high."""
    radius = torch.tensor([0.375, 0.375, 0.375])
    compact = torch.tensor([[0.0, 5.25, 1.0], [0.0, 1.0, 5.25]])
    places = formation(compact, radius)
    torch.testing.assert_close(places, compact - compact.mean(1, keepdim=True))
    for far in (
        torch.tensor([[0.0, 5.26, 1.0], [0.0, 1.0, 2.0]]),
        torch.tensor([[0.0, 1.0, 1.0], [0.0, 1.0, 5.3]]),
    ):
        assert not formation(far, radius).any()


@pytest.mark.parametrize(
    ("map_name", "keeps"), [("8m", True), ("2s3z", True), ("27m_vs_30m", True), ("bane_vs_bane", False)]
)
def test_enemies_end_as_they_started_or_at_one_point(map_name, keeps):
    env = make(map_name)
    n, place = env.spec.n_agents, positions(env)
    spread = place[0, n:] - place[0, n:].mean(0)
    goals = env.battle.march.goals(env.games.keys)[:, 0].T
    assert torch.allclose(goals - goals.mean(0), spread if keeps else torch.zeros(1), atol=1e-4)
