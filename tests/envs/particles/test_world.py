"""Motion and sight by hand, and second-order motion against mpe2's own physics."""

import importlib.util

import numpy as np
import pytest
import torch

from cohort.envs.particles.world import Dynamics, accelerate, contact_forces, glide, relative_map, scatter

needs_mpe2 = pytest.mark.skipif(importlib.util.find_spec("mpe2") is None, reason="mpe2 is not installed")


def test_gliding_stops_at_the_border_of_an_arena():
    places = torch.tensor([[[0.9, -0.9], [0.0, 0.0]]])
    actions = torch.tensor([[[1.0, -5.0], [0.5, 0.0]]])
    assert torch.allclose(glide(places, actions, 0.2), torch.tensor([[[1.1, -1.1], [0.1, 0.0]]]))
    assert torch.allclose(glide(places, actions, 0.2, 1.0), torch.tensor([[[1.0, -1.0], [0.1, 0.0]]]))
    assert places[0, 0].tolist() == pytest.approx([0.9, -0.9]), "written in place"


@pytest.mark.parametrize(("viewers", "entities"), [(1, 1), (1, 4), (3, 3), (4, 9)])
def test_what_is_seen_is_one_exact_subtraction(viewers, entities):
    places = 100 * torch.randn((33, entities, 2), generator=torch.Generator().manual_seed(0))
    seen = (places.flatten(1) @ relative_map(viewers, entities)).view(33, viewers, entities - 1, 2)
    for i in range(viewers):
        others = [j for j in range(entities) if j != i]
        assert torch.equal(seen[:, i], places[:, others] - places[:, i : i + 1])


def test_scatter_draws_from_its_generator_alone():
    draws = [scatter(2, 3, 0.75, torch.Generator().manual_seed(7), "cpu") for _ in range(2)]
    assert torch.equal(*draws)
    assert draws[0].shape == (2, 3, 2)


@pytest.mark.parametrize(
    ("first", "expected"), [("position", [0.0, 0.05, 0.1375]), ("velocity", [0.05, 0.1375, 0.253125])]
)
def test_the_order_of_the_update(first, expected):
    """A force of 5 along x from rest: v is 0.5, 0.875, 1.15625."""
    places, speeds, force = torch.zeros(1, 1, 2), torch.zeros(1, 1, 2), torch.tensor([[[5.0, 0.0]]])
    found = []
    for _ in range(3):
        places, speeds = accelerate(places, speeds, force, Dynamics(first=first))
        found.append(places[0, 0, 0].item())
    assert found == pytest.approx(expected)
    assert speeds[0, 0].tolist() == pytest.approx([1.15625, 0.0])


def test_the_speed_limit_keeps_the_direction_and_mass_resists():
    force = torch.tensor([[[30.0, 40.0], [30.0, 40.0], [0.0, 0.0]]])
    speeds = torch.zeros(1, 3, 2)
    limits, mass = torch.tensor([2.0, torch.inf, 1.0]), torch.tensor([1.0, 10.0, torch.inf])
    _, faster = accelerate(torch.zeros(1, 3, 2), speeds, force, Dynamics(), mass=mass, max_speed=limits)
    assert torch.allclose(faster, torch.tensor([[[1.2, 1.6], [0.3, 0.4], [0.0, 0.0]]]))


def test_contacts_push_apart_equally_and_only_where_they_are_allowed():
    places = torch.tensor([[[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [3.0, 3.0]]])
    reach, touching = torch.full((4, 4), 0.3), torch.ones(4, 4, dtype=torch.bool)
    touching[2], touching[:, 2] = False, False
    forces = contact_forces(places, reach, touching, Dynamics())
    assert torch.allclose(forces[0], torch.tensor([[-20.0, 0.0], [20.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    together = contact_forces(torch.zeros(1, 4, 2), reach, torch.ones_like(touching), Dynamics())
    assert torch.isfinite(together).all()


def mpe2_world(places, speeds, mass, sizes, limits, collides):
    """A `World` of mpe2 whose last two entities are landmarks."""
    from mpe2._mpe_utils.core import Agent, Landmark, World

    world, n = World(), len(places)
    world.agents, world.landmarks = [Agent() for _ in range(n - 2)], [Landmark() for _ in range(2)]
    for i, entity in enumerate(world.entities):
        entity.state.p_pos, entity.state.p_vel = places[i].copy(), speeds[i].copy()
        entity.initial_mass, entity.size = mass[i], sizes[i]
        entity.max_speed = None if np.isinf(limits[i]) else limits[i]
        entity.collide = bool(collides[i])
    for agent in world.agents:
        agent.silent = True
    return world


@needs_mpe2
@pytest.mark.parametrize("seed", range(5))
def test_second_order_motion_is_that_of_mpe2(seed):
    """Six crowded bodies of different mass, size and speed limit, two of them fixed, over 30 steps."""
    draw = np.random.default_rng(seed)
    n, dynamics = 8, Dynamics(first="position")
    places, speeds = draw.uniform(-0.4, 0.4, (n, 2)), draw.uniform(-1, 1, (n, 2))
    speeds[-2:] = 0
    mass, sizes = draw.uniform(0.5, 2, n), draw.uniform(0.05, 0.2, n)
    limits = np.where(draw.random(n) < 0.5, np.inf, draw.uniform(0.3, 1.5, n))
    collides = draw.random(n) < 0.8
    world = mpe2_world(places, speeds, mass, sizes, limits, collides)

    def tensor(values) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float64)

    size, touch = tensor(sizes), torch.as_tensor(collides)
    reach, touching = size + size[:, None], touch & touch[:, None]
    masses = tensor(mass).clone()
    masses[-2:] = torch.inf
    now, speed = tensor(places)[None], tensor(speeds)[None]
    touched = 0.0
    for _ in range(30):
        push = draw.uniform(-5, 5, (n - 2, 2))
        for agent, own in zip(world.agents, push, strict=True):
            agent.action.u = own
        world.step()
        contacts = contact_forces(now, reach, touching, dynamics)
        touched += contacts.abs().sum().item()
        forces = contacts + torch.nn.functional.pad(tensor(push), (0, 0, 0, 2))
        now, speed = accelerate(now, speed, forces, dynamics, mass=masses, max_speed=tensor(limits))
        assert np.allclose(now[0], [entity.state.p_pos for entity in world.entities], atol=1e-9)
        assert np.allclose(speed[0, :-2], [agent.state.p_vel for agent in world.agents], atol=1e-9)
    assert touched > 1, "nothing ever touched"


@needs_mpe2
def test_a_game_of_simple_spread_is_followed_step_by_step():
    """mpe2's own environment with its own actions: a force of 5 on the chosen axis."""
    from mpe2 import simple_spread_v3

    env = simple_spread_v3.parallel_env(N=3, max_cycles=25)
    env.reset(seed=4)
    world = env.unwrapped.world
    now = torch.tensor(np.array([agent.state.p_pos for agent in world.agents]))[None]
    speed, dynamics = torch.zeros_like(now), Dynamics(first="position")
    reach, touching = torch.full((3, 3), 0.3), torch.ones(3, 3, dtype=torch.bool)
    pushes = torch.tensor([[0.0, 0.0], [-5, 0], [5, 0], [0, -5], [0, 5]], dtype=torch.float64)
    draw = np.random.default_rng(0)
    for _ in range(25):
        chosen = draw.integers(0, 5, 3)
        env.step(dict(zip(env.agents, map(int, chosen), strict=True)))
        forces = contact_forces(now, reach, touching, dynamics) + pushes[torch.as_tensor(chosen)]
        now, speed = accelerate(now, speed, forces, dynamics)
        assert np.allclose(now[0], [agent.state.p_pos for agent in world.agents], atol=1e-6)
