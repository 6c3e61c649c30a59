"""The four scenarios: rewards on hand-placed scenes, what is seen, the prey's rule game by game."""

import math

import pytest
import torch

from tests.envs.particles.support import SCENARIOS, arguments, make, put, random_actions, still

OBS_DIM = {"going_together": 4, "cooperative_navigation": 14, "predator_prey": 8, "clustering": 14}


def reward_of(env) -> float:
    """Paid for standing still where the agents are."""
    return env.step(still(env)).reward.item()


def test_going_together_pays_for_the_landmark_and_for_staying_close():
    env = put(make("going_together"), agents=[(0, 0), (0.3, 0.4)], landmarks=[(0.3, 0)])
    assert reward_of(env) == pytest.approx(-0.85, abs=1e-6)  # -0.5 (0.3 + 0.4) - 0.5


def test_cooperative_navigation_pays_for_the_last_to_arrive_at_its_own_landmark():
    agents = [(0, 0), (1, 0), (0, 1), (1, 1)]
    landmarks = [(0, 0.1), (1, 0.2), (0, 1.3), (1, 1.4)]
    env = make("cooperative_navigation")
    assert reward_of(put(env, agents=agents, landmarks=landmarks)) == pytest.approx(-0.4, abs=1e-6)
    landmarks[0], landmarks[1] = landmarks[1], landmarks[0]
    swapped = reward_of(put(env, agents=agents, landmarks=landmarks))
    assert swapped == pytest.approx(-math.hypot(1, 0.2), abs=1e-6)


def test_predator_prey_pays_for_every_predator_nearer_than_rho():
    """A prey that does not move (speed 0) at the origin; a predator at exactly rho does not count."""
    env = make("predator_prey", rho=0.3, prey_speed=0.0)
    put(env, agents=[(0.1, 0), (0, 0.29), (0.3, 0), (1, 1)], prey=[(0, 0)])
    assert reward_of(env) == 2.0


def test_clustering_pays_for_closeness_to_the_centre():
    angles = [2 * math.pi * k / 8 for k in range(8)]
    ring = [(0.2 + 0.5 * math.cos(angle), -0.1 + 0.5 * math.sin(angle)) for angle in angles]
    env = make("clustering")
    assert reward_of(put(env, agents=ring)) == pytest.approx(-4.0, abs=1e-5)
    assert reward_of(put(env, agents=[(0.3, 0.7)] * 8)) == 0.0


def test_the_prey_moves_after_the_predators_and_the_reward_comes_last():
    """One predator arrives at the prey's back and is out of reach again once the prey has fled."""
    env = make("predator_prey", n_agents=1, world_size=10.0, v_step=0.4, rho=0.3, prey_speed=1.0)
    put(env, agents=[(-0.6, 0)], prey=[(0, 0)])
    transition = env.step(torch.tensor([[[1.0, 0.0]]]))
    assert env.scene.agents.flatten().tolist() == pytest.approx([-0.2, 0])
    assert env.scene.prey.flatten().tolist() == pytest.approx([0.4, 0])  # 0.6 apart; 0.2 before it fled
    assert transition.reward.item() == 0.0


@pytest.mark.parametrize("name", SCENARIOS)
def test_everybody_sees_all_others_in_order_relative_to_itself(name):
    env = make(name, batch_size=3)
    assert env.spec.obs_dim == OBS_DIM[name]
    env.reset()
    for actions in random_actions(env, 2):
        seen = env.step(actions).observation
        everything = torch.cat(tuple(env.scene), 1)  # agents, then landmarks, then prey
        assert torch.equal(seen.state, everything.flatten(1))
        for game, agent in ((game, agent) for game in range(3) for agent in range(env.spec.n_agents)):
            places, own = everything[game].tolist(), everything[game, agent].tolist()
            others = [place for i, place in enumerate(places) if i != agent]
            expected = [coordinate - own[axis] for place in others for axis, coordinate in enumerate(place)]
            assert seen.obs[game, agent].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", SCENARIOS)
def test_moving_everything_changes_neither_sight_nor_reward(name):
    """The prey's walls are left out, for they do not move along."""
    changed = {"wall_push": 0.0, "world_size": 100.0} if name == "predator_prey" else {}
    env = make(name, batch_size=16, **changed)
    generator = torch.Generator().manual_seed(0)
    env.reset()
    scene = {
        field: torch.rand(places.shape, generator=generator) - 0.5
        for field, places in env.scene._asdict().items()
    }
    shift = torch.tensor([3.0, -2.0])
    actions = random_actions(env, 1)[0]
    here = put(env, **scene).step(actions)
    there = put(env, **{field: places + shift for field, places in scene.items()}).step(actions)
    assert torch.allclose(here.observation.obs, there.observation.obs, atol=1e-5)
    assert torch.allclose(here.reward, there.reward, atol=1e-5)
    assert not torch.allclose(here.observation.state, there.observation.state)


def slow_prey(predators, prey, settings):
    """The prey's next place, written out for one game."""
    w = settings["world_size"]
    force = [0.0, 0.0]
    for x, y in predators:
        dx, dy = prey[0] - x, prey[1] - y
        near = dx * dx + dy * dy + settings["prey_softening"]
        force[0] += dx / near
        force[1] += dy / near
    for axis in (0, 1):
        right = 1 / (w - prey[axis] + settings["wall_margin"])
        left = 1 / (w + prey[axis] + settings["wall_margin"])
        force[axis] -= settings["wall_push"] * (right - left)
    length = math.hypot(*force)
    step = settings["prey_speed"] * settings["v_step"]
    return [min(w, max(-w, prey[axis] + step * force[axis] / length)) for axis in (0, 1)]


def test_the_prey_follows_its_rule_in_every_game():
    env, settings = make("predator_prey", batch_size=64, seed=5), arguments("predator_prey")
    env.reset()
    on_border = 0
    for actions in random_actions(env, 20):
        before = env.scene.prey[:, 0].tolist()
        env.step(actions)
        for game in range(64):
            expected = slow_prey(env.scene.agents[game].tolist(), before[game], settings)
            found = env.scene.prey[game, 0].tolist()
            assert found == pytest.approx(expected, abs=2e-5)
            on_border += bool((env.scene.prey[game].abs() == settings["world_size"]).any())
    assert 0 < on_border < 64 * 20


def test_a_prey_without_any_urge_stays_where_it_is():
    env = make("predator_prey", n_agents=2)
    put(env, agents=[(-0.5, 0), (0.5, 0)], prey=[(0, 0)])
    env.step(still(env))
    assert env.scene.prey.flatten().tolist() == [0.0, 0.0]


def test_nobody_leaves_the_arena():
    env = make("predator_prey", batch_size=32)
    env.reset()
    for actions in random_actions(env, 20):
        env.step(actions.sign())
        assert env.positions(env.scene).abs().max() <= env.arena
    assert (env.scene.agents.abs() == env.arena).any()
