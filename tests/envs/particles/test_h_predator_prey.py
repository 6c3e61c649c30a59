"""Heterogeneous predator-prey against slow references, and the returns of simple teams."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from cohort.envs.particles.h_predator_prey import HPredatorPreySettings
from tests.envs.particles.support import arguments, make, put

NAME = "h_predator_prey"
FAR = [(30.0, 0.0), (30.0, 9.0), (30.0, -9.0)]  # nobody sees or touches anybody


def scene(env, agents=FAR, prey=((-30, 0), (-30, 9), (-30, -9)), landmarks=((0, 60), (0, 70)), speeds=None):
    speeds = torch.zeros(env.batch_size, len(agents) + len(prey), 2) if speeds is None else speeds
    return put(env, agents=agents, prey=prey, landmarks=landmarks, velocities=speeds)


def test_sizes_are_those_of_the_paper():
    spec = make(NAME).spec
    assert (spec.n_agents, spec.n_actions, spec.action_dim, spec.obs_dim, spec.state_dim) == (3, 0, 2, 24, 72)
    assert spec.episode_limit == 50
    larger = make(NAME, max_speeds=(1.0, 1.0), n_prey=1, n_landmarks=6).spec
    assert (larger.n_agents, larger.obs_dim, larger.state_dim) == (2, 4 + 12 + 2 + 2 + 2, 2 * 22)


def test_predators_reach_their_own_speeds_and_the_free_prey_less_than_its():
    """Damping leaves a constant force at 0.4 F, cut to the greatest speed; the prey's F is nearly 1."""
    for force, slowest, fastest in ((1.0, 0.39, 0.4), (4.0, 1.22, 1.25)):
        env = scene(
            make(NAME, prey_force_scale=force, prey_samples=2000), prey=[(-30, 0), (-30, 90), (-30, -90)]
        )
        for _ in range(40):
            env.step(torch.tensor([[[1.0, 0.0], [0.6, 0.8], [0.0, -1.0]]]))
        speeds = torch.linalg.vector_norm(env.scene.velocities[0], dim=-1)
        assert speeds[:3].tolist() == pytest.approx([1.0, 0.75, 0.75])
        assert (speeds[3:] > slowest).all()
        assert (speeds[3:] <= fastest + 1e-6).all()


def moved_slowly(env, actions: Tensor, flights: Tensor):
    """One step of the first game in float64, body by body: forces, contacts, damping, limits."""
    settings, now = env.settings, env.scene
    n, m = len(settings.max_speeds), settings.n_prey
    places = [
        *now.agents[0].double().numpy(),
        *now.prey[0].double().numpy(),
        *now.landmarks[0].double().numpy(),
    ]
    radii = [settings.predator_radius] * n + [settings.prey_radius] * m + [settings.landmark_radius] * 9
    limits = [*settings.max_speeds, *[settings.prey_max_speed] * m]
    pushes = [settings.accel * actions[0, i].clamp(-1, 1).double().numpy() for i in range(n)]
    pushes += [settings.prey_force_scale * flights[0, j].double().numpy() for j in range(m)]
    after, speeds = [], []
    for i in range(n + m):
        force = pushes[i].copy()
        for j, other in enumerate(places):
            if j != i:
                apart = places[i] - other
                distance = np.sqrt(apart @ apart)
                overlap = 1e-3 * np.logaddexp(0, (radii[i] + radii[j] - distance) / 1e-3)
                force += 100 * apart / distance * overlap
        speed = 0.75 * now.velocities[0, i].double().numpy() + 0.1 * force
        if np.hypot(*speed) > limits[i]:
            speed *= limits[i] / np.hypot(*speed)
        speeds.append(speed)
        after.append(places[i] + 0.1 * speed)
    return np.array(after), np.array(speeds)


def test_motion_is_that_of_a_slow_reference():
    env, touched = make(NAME, world_size=0.3, landmark_world_size=0.3, seed=4), 0
    env.reset()
    draws = torch.Generator().manual_seed(0)
    for _ in range(30):
        actions = 3 * torch.rand((1, 3, 2), generator=draws) - 1.5
        before = env.generator.get_state()
        flights = env.flee(env.scene.agents, env.scene.prey)
        env.generator.set_state(before)
        places, speeds = moved_slowly(env, actions, flights)
        touched += int(env.step(actions).reward > 0)
        np.testing.assert_allclose(torch.cat((env.scene.agents, env.scene.prey), 1)[0], places, atol=2e-5)
        np.testing.assert_allclose(env.scene.velocities[0], speeds, atol=2e-4)
    assert touched > 0


def test_flight_is_that_of_a_slow_reference():
    games, samples = 40, 7
    env = make(NAME, batch_size=games, seed=2, world_size=0.2, prey_samples=samples)
    env.reset()
    copy = torch.Generator()
    copy.set_state(env.generator.get_state())
    draws = torch.rand((2, games, 3, samples), generator=copy)
    found, blocked = env.flee(env.scene.agents, env.scene.prey), 0
    for game in range(games):
        predators, prey = env.scene.agents[game].tolist(), env.scene.prey[game].tolist()
        for j, own in enumerate(prey):
            closest = min(predators, key=lambda each: math.dist(each, own))
            best, chosen = -1.0, (0.0, 0.0)
            for k in range(samples):
                radius, angle = math.sqrt(draws[0, game, j, k]), 2 * math.pi * float(draws[1, game, j, k])
                offset = (radius * math.cos(angle), radius * math.sin(angle))
                place = (own[0] + offset[0], own[1] + offset[1])
                if any(math.dist(place, each) < 0.125 for each in predators):
                    blocked += 1
                elif math.dist(place, closest) > best:
                    best, chosen = math.dist(place, closest), offset
            assert found[game, j].tolist() == pytest.approx(chosen, abs=1e-5)
    assert blocked > 5


def test_a_prey_whose_places_are_all_blocked_stays():
    env = scene(make(NAME, predator_radius=5.0), agents=[(-30, 0), (-30, 0.5), (-31, 0)])
    flights = env.flee(env.scene.agents, env.scene.prey)[0]
    assert flights[0].tolist() == [0.0, 0.0]
    assert (torch.linalg.vector_norm(flights[1:], dim=-1) > 0.8).all()


def test_places_to_flee_to_are_uniform_in_the_unit_disc():
    env, games = make(NAME, n_prey=1, prey_samples=1, batch_size=20_000), 20_000  # one sample is no choice
    flights = env.flee(torch.full((games, 3, 2), 30.0), torch.zeros(games, 1, 2))
    radii = torch.linalg.vector_norm(flights[:, 0], dim=-1)
    assert float(radii.max()) <= 1 + 1e-6
    assert float((radii**2).mean()) == pytest.approx(0.5, abs=3 * math.sqrt(1 / 12 / games))


@pytest.mark.parametrize(("per_pair", "paid"), [(True, 30.0), (False, 20.0)])
def test_the_reward_counts_pairs_or_prey(per_pair, paid):
    """Two predators at the first prey, one of them at the second too; the third prey is just out of reach."""
    env = make(NAME, reward_per_pair=per_pair)
    scene(env, agents=[(0, 0), (0.1, 0), (2, 2)], prey=[(0.05, 0.05), (0.2, 0), (2.126, 2)])
    assert env.reward(env.scene).item() == paid


def seen_slowly(env, game: int) -> list[list[float]]:
    now, found = env.scene, []
    n, m = env.n_agents, env.settings.n_prey
    agents, prey, landmarks = (each[game].tolist() for each in (now.agents, now.prey, now.landmarks))
    speeds = now.velocities[game].tolist()
    for i in range(n):

        def sight(place, own=agents[i]):
            return [place[0] - own[0], place[1] - own[1]] if math.dist(place, own) <= 1.5 else [0.0, 0.0]

        row = [*speeds[i], *agents[i]]
        for place in (*landmarks, *(agents[j] for j in range(n) if j != i), *prey):
            row += sight(place)
        for j in range(m):
            row += speeds[n + j] if math.dist(prey[j], agents[i]) <= 1.5 else [0.0, 0.0]
        found.append(row)
    return found


def test_what_predators_see_and_what_is_too_far():
    env = make(NAME, batch_size=6, seed=3)
    env.reset()
    for _ in range(5):
        seen = env.step(torch.ones(6, 3, 2)).observation
    assert (seen.obs == 0).any()
    for game in range(6):
        np.testing.assert_allclose(seen.obs[game], seen_slowly(env, game), atol=1e-6)
    assert torch.equal(seen.state, seen.obs.flatten(1))


def team_returns(policy: str, games: int = 300, **changes) -> tuple[float, float]:
    """The mean return of a scripted team, and its standard error."""
    env = make(NAME, batch_size=games, seed=5, **changes)
    env.reset()
    draws, total = torch.Generator().manual_seed(0), torch.zeros(games)
    for _ in range(env.spec.episode_limit):
        ways = env.scene.prey[:, None] - env.scene.agents[:, :, None]  # [B, N, M, 2]
        distance = torch.linalg.vector_norm(ways, dim=-1)
        if policy == "same":  # all chase the prey that is nearest to the first predator
            distance = distance[:, :1].expand_as(distance)
        chased = distance.argmin(-1)[..., None, None].expand(-1, -1, 1, 2)
        ways = ways.gather(2, chased).squeeze(2)
        actions = ways / ways.abs().amax(-1, keepdim=True)  # as hard as the box lets them
        if policy == "random":
            actions = 2 * torch.rand(actions.shape, generator=draws) - 1
        total += env.step(actions).reward
    return float(total.mean()), float(total.std()) / math.sqrt(games)


@pytest.mark.parametrize(
    ("force", "policy", "published"),
    [
        (1.0, "random", 1.2), (1.0, "nearest", 798), (1.0, "same", 478),
        (4.0, "random", 0.3), (4.0, "nearest", 6.2), (4.0, "same", 7.5),
    ],
)  # fmt: skip
def test_returns_of_simple_teams(force, policy, published):
    """Measured with an independent implementation over as many games: both means have an error.

    How hard they push, and which prey all chase, is not on record: this is a reading that fits every figure.
    """
    mean, error = team_returns(policy, prey_force_scale=force)
    assert abs(mean - published) < 3 * math.sqrt(2) * error


@pytest.mark.parametrize(("force", "published"), [(1.0, 133), (4.0, 3.9)])
def test_returns_of_the_game_that_it_was_made_of(force, published):
    """FACMAC's: one prey, predators alike, half the steps."""
    facmac = {"max_speeds": (1.0, 1.0, 1.0), "n_prey": 1, "prey_max_speed": 1.3, "episode_limit": 25}
    mean, error = team_returns("nearest", prey_force_scale=force, **facmac)
    assert abs(mean - published) < 3 * math.sqrt(2) * error


@pytest.mark.parametrize(("key", "value"), [("max_speeds", ()), ("max_speeds", (1.0, 0.0)), ("n_prey", 0)])
def test_impossible_games_are_refused(key, value):
    with pytest.raises(ValueError, match=key):
        HPredatorPreySettings(**arguments(NAME, **{key: value}))
