"""Spread against the numbers of the original's rules, against mpe2, and the returns of simple teams."""

import importlib.util
import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from cohort.configuration.plan import Sources, make_plan
from cohort.envs.particles.render import draw
from cohort.envs.particles.spread import SpreadSettings
from cohort.errors import UserError
from tests.envs.particles.support import (
    arguments,
    assert_goes_on_restored,
    assert_same_alone,
    make,
    put,
    random_actions,
)

NAMES = ("spread", "spread3_sep", "spread3_mix", "spread3_ful")
needs_mpe2 = pytest.mark.skipif(importlib.util.find_spec("mpe2") is None, reason="mpe2 is not installed")


def place(env, agents, landmarks, velocities=None):
    return put(env, agents=agents, landmarks=landmarks, velocities=velocities or [(0.0, 0.0)] * len(agents))


@pytest.mark.parametrize(
    ("name", "agents", "seen"), [("spread", 2, 12), *((each, 3, 18) for each in NAMES[1:])]
)
def test_sizes_are_those_of_the_paper(name, agents, seen):
    spec = make(name).spec
    assert (spec.n_agents, spec.n_actions, spec.action_dim, spec.obs_dim) == (agents, 5, 0, seen)
    assert (spec.episode_limit, spec.common_reward, spec.state_dim) == (25, False, agents * seen)


@pytest.mark.parametrize(
    ("first", "expected"), [("velocity", [0.05, 0.1375, 0.25313]), ("position", [0.0, 0.05, 0.1375])]
)
def test_the_first_places_of_an_agent_that_is_pushed(first, expected):
    for action, axis, sign in ((1, 0, -1), (2, 0, 1), (3, 1, -1), (4, 1, 1)):
        env = place(make("spread", updates_first=first), [(0, 0), (9, 9)], [(1, 1), (2, 2)])
        found = []
        for _ in expected:
            env.step(torch.tensor([[action, 0]]))
            found.append(sign * env.scene.agents[0, 0, axis].item())
        assert found == pytest.approx(expected, abs=1e-5)
        assert env.scene.agents[0, 0, 1 - axis].item() == 0
        assert env.scene.agents[0, 1].tolist() == [9, 9]


def rewards(name: str, agents, landmarks, **changed) -> list[float]:
    env = place(make(name, **changed), agents, landmarks)
    return env.reward(env.scene).squeeze(0).tolist()


def test_rewards_on_a_hand_placed_scene():
    """Two agents that touch; the nearest are 0.5 and 0.8 away from the landmarks."""
    scene = ([(0, 0), (0.2, 0)], [(0, 0.5), (1, 0)])
    assert rewards("spread", *scene) == pytest.approx([-3.3, -3.3])
    assert rewards("spread", *scene, self_collision=False) == pytest.approx([-2.3, -2.3])
    assert rewards("spread", *scene, common_reward=True) == pytest.approx(-6.6)
    assert rewards("spread", *scene, common_reward=True, reward_scalarisation="mean") == pytest.approx(-3.3)
    apart = ([(0, 0), (0.3001, 0)], scene[1])
    assert rewards("spread", *apart, self_collision=False) == pytest.approx([-1.1999] * 2)


# all three touch the first agent, the second and the third do not touch each other
CROWD = ([(0.0, 0.0), (0.2, 0.0), (-0.2, 0.0)], [(0.0, 1.0), (0.2, 0.4), (-0.2, -0.3)])


def test_each_variant_pays_for_what_it_makes_an_agent_depend_on():
    far = math.hypot(0.2, 1.0)
    assert rewards("spread3_sep", *CROWD) == pytest.approx([-1.0, -0.4, -0.3])
    pair = -(min(1.0, far) + min(math.hypot(0.2, 0.3), 0.3)) - 1
    assert rewards("spread3_mix", *CROWD) == pytest.approx([pair, -0.4, pair])
    everybody = -(1.0 + 0.4 + 0.3) - 1
    assert rewards("spread3_ful", *CROWD) == pytest.approx([everybody - 2, everybody - 1, everybody - 1])
    assert rewards("spread3_ful", *CROWD, self_collision=False) == pytest.approx(
        [everybody - 1, everybody, everybody]
    )


def test_the_pair_of_the_mixed_variant_covers_each_others_landmarks():
    agents, landmarks = [(0.0, 0.0), (5.0, 0.0), (2.0, 0.0)], [(2.0, 0.1), (0.0, 0.2), (0.0, 0.3)]
    assert rewards("spread3_mix", agents, landmarks) == pytest.approx([-0.4, -math.hypot(5, 0.2), -0.4]), (
        "the second agent's landmark is its own, however near others are"
    )


@pytest.mark.parametrize(
    ("name", "bumping"),
    [
        ("spread3_sep", (False, False, False)),
        ("spread3_mix", (True, False, True)),
        ("spread3_ful", (True, True, True)),
    ],
)
def test_only_who_depends_on_each_other_bumps_into_each_other(name, bumping):
    """Each pair overlaps by as much; an agent between the two others is pushed by neither more than the other."""
    agents = [(0.1 * math.cos(2.1 * i), 0.1 * math.sin(2.1 * i)) for i in range(3)]
    env = place(make(name), agents, [(0, 0)] * 3)
    env.step(torch.zeros(1, 3, dtype=torch.int64))
    assert (env.scene.velocities[0] != 0).any(1).tolist() == list(bumping)


@pytest.mark.parametrize("name", ["spread", "spread3_ful"])
@pytest.mark.parametrize("settings", [{}, {"self_collision": False}])
@needs_mpe2
def test_whole_episodes_are_those_of_mpe2(name, settings):
    """Its reward is half of the original's and without the collision with oneself; it moves with the old velocity."""
    from mpe2 import simple_spread_v3

    env = make(name, batch_size=8, seed=3, world_size=0.4, updates_first="position", **settings)
    n, begun = env.n_agents, env.reset()
    theirs, bumps = [], 0
    for game in range(env.batch_size):
        other = simple_spread_v3.parallel_env(N=n, local_ratio=0.5, max_cycles=25)
        other.reset(seed=0)
        world = other.unwrapped.world
        for i, agent in enumerate(world.agents):
            agent.state.p_pos = env.scene.agents[game, i].double().numpy()
            world.landmarks[i].state.p_pos = env.scene.landmarks[game, i].double().numpy()
        theirs.append(other)
    assert begun.obs.shape == (8, n, 6 * n)
    for actions in random_actions(env, 25):
        ours = env.step(actions)
        for game, other in enumerate(theirs):
            seen, paid, _, cut, _ = other.step({f"agent_{i}": int(actions[game, i]) for i in range(n)})
            np.testing.assert_allclose(ours.observation.obs[game], np.stack(list(seen.values())), atol=2e-4)
            for i, reward in enumerate(paid.values()):
                original = 2 * reward - (1 if env.settings.self_collision else 0)
                assert ours.reward[game, i].item() == pytest.approx(original, abs=1e-3)
            bumps += sum(world_bump(other))
            assert all(cut.values()) == bool(ours.truncated[game])
    assert bumps > 5, "nobody ever touched"
    assert ours.truncated.all()
    assert not ours.terminated.any()


def world_bump(other) -> list[bool]:
    places = [agent.state.p_pos for agent in other.unwrapped.world.agents]
    return [bool(np.hypot(*(one - two)) < 0.3) for one, two in itertools.combinations(places, 2)]


def test_what_agents_see():
    env = make("spread3_ful", batch_size=4, seed=2)
    env.reset()
    for actions in random_actions(env, 4):
        obs = env.step(actions).observation.obs
    now = env.scene
    for game, i in itertools.product(range(4), range(3)):
        own = now.agents[game, i]
        others = [now.agents[game, j] - own for j in range(3) if j != i]
        row = torch.cat((now.velocities[game, i], own, *(now.landmarks[game] - own), *others, torch.zeros(4)))
        assert torch.equal(obs[game, i], row)


@pytest.mark.parametrize("name", NAMES)
def test_games_side_by_side_are_the_same_games_alone(name):
    games = make(name, batch_size=6)
    games.reset()
    fields = games.scene._asdict()
    alone = [put(make(name), **{field: places[i] for field, places in fields.items()}) for i in range(6)]
    assert_same_alone(games, alone, obs_atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_game_goes_on_bit_for_bit(name):
    assert_goes_on_restored(name)


def team_returns(policy: str, games: int = 1000, **changed) -> tuple[float, float]:
    """The mean return of one of two agents under a scripted team, and its standard error."""
    env = make("spread", batch_size=games, seed=5, **changed)
    env.reset()
    draws, total = torch.Generator().manual_seed(0), torch.zeros(games)
    for _ in range(env.spec.episode_limit):
        actions = torch.zeros((games, 2), dtype=torch.int64)
        if policy == "random":
            actions = torch.randint(5, actions.shape, generator=draws)
        elif policy == "greedy":
            actions = greedy(env.scene)
        total += env.step(actions).reward.mean(1)
    return float(total.mean()), float(total.std()) / math.sqrt(games)


def greedy(scene) -> Tensor:
    """Each to its landmark of the shorter assignment, along the longer axis of what is left where it would roll out."""
    distance = torch.linalg.vector_norm(scene.agents[:, :, None] - scene.landmarks[:, None], dim=-1)
    straight = distance[:, 0, 0] + distance[:, 1, 1] <= distance[:, 0, 1] + distance[:, 1, 0]
    goals = torch.where(straight[:, None, None], scene.landmarks, scene.landmarks.flip(1))
    left = goals - scene.agents - 0.3 * scene.velocities
    size, axis = left.abs().max(-1)
    positive = left.gather(-1, axis.unsqueeze(-1)).squeeze(-1) > 0
    return torch.where(size > 0.03, 1 + 2 * axis + positive, 0)


@pytest.mark.parametrize(("policy", "published"), [("random", -67.1), ("still", -63.7), ("greedy", -36.2)])
def test_returns_of_simple_teams(policy, published):
    """Measured with an independent implementation over as many games or fewer: both means have an error."""
    mean, error = team_returns(policy)
    assert abs(mean - published) < 3 * math.sqrt(2) * error
    without, _ = team_returns(policy, self_collision=False)
    assert without == pytest.approx(mean + 25, abs=1e-3), "one a step"


def test_a_random_teams_returns_spread_as_much_as_they_should():
    _, error = team_returns("random")
    assert error * math.sqrt(1000) == pytest.approx(15.3, rel=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_drawn(name):
    env = make(name, batch_size=2)
    env.reset()
    before = draw(env, game=1)
    env.step(random_actions(env, 1)[0])
    assert not np.array_equal(before, draw(env, game=1))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n_agents": 0}, "n_agents"),
        ({"interdependence": "some"}, "interdependence"),
        ({"updates_first": "force"}, "updates_first"),
        ({"interdependence": "mixed", "self_collision": False}, "n_agents = 2"),
        ({"interdependence": "separate"}, "self_collision = True"),
    ],
)
def test_impossible_games_are_refused(changed, said):
    with pytest.raises(ValueError, match=said):
        SpreadSettings(**arguments("spread", **changed))
    typed = {"env_args": changed}
    with pytest.raises(UserError, match=said):
        make_plan(Sources.read("maac", "spread", typed))


def test_the_schedule_of_maac_holds_in_all_variants():
    for name in (*NAMES, "rover_tower"):
        flat = Sources.read("maac", name, {}).merged()
        assert (flat["updates_per_step"], flat["updates_per_episode"]) == (0.04, None)
        assert flat["batch_size_run"] == 12
