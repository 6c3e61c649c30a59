"""What the pictures show, pixel by pixel."""

import numpy as np
import pytest
import torch

from cohort.envs.sc2_sim.canvas import ALLY, ENEMY, HEALTH_BAR, SHAPES, SHIELD_BAR
from cohort.envs.sc2_sim.planes import COOLDOWN, HEALTH
from cohort.envs.sc2_sim.render import Renderer, draw
from cohort.envs.sc2_sim.units import UNITS

from .scripts import nearest
from .support import attack, change, make, positions, stop

WIDTH, HEADER = 768, 54
SPARK = (255, 250, 225)  # where a shot hits
# The ground of the marine maps is 2..30 by 7..25, and one sees 1.5 metres more.
SCALE = WIDTH / 31


def pixel(x: float, y: float) -> tuple[int, int]:
    """Row and column of metres on a marine map."""
    return round(HEADER + (26.5 - y) * SCALE), round((x - 0.5) * SCALE)


def count(image: np.ndarray, colour: tuple[int, int, int], tolerance: int = 6) -> int:
    return int((np.abs(image.astype(int) - colour).max(2) <= tolerance).sum())


def around(image: np.ndarray, place, radius: float) -> np.ndarray:
    """The square of `radius` metres around a place."""
    (row, column), half = pixel(*place), round(radius * SCALE)
    return image[row - half : row + half, column - half : column + half]


def spread(**settings):
    """3m with everybody far from everybody."""
    env = make("3m", **settings)
    change(env, position=torch.tensor([[[5.0, 10], [5, 16], [5, 22], [27, 10], [27, 16], [27, 22]]]))
    return env


def test_both_sides_are_where_they_are_in_different_colours():
    env = spread()
    image = draw(env)
    assert image.dtype == np.uint8
    assert image.shape == (HEADER + round(21 * SCALE), WIDTH, 3)
    for i, place in enumerate(positions(env)[0].tolist()):
        own, other = (ALLY, ENEMY) if i < 3 else (ENEMY, ALLY)
        area = np.pi * (0.375 * SCALE) ** 2
        assert count(around(image, place, 0.5), own) > 0.5 * area
        assert count(around(image, place, 0.5), other) == 0


def test_the_dead_are_gone():
    env = spread()
    before = draw(env)
    place = positions(env)[0, 4].tolist()
    change(env, health=torch.tensor([[45.0, 45, 45, 45, 0, 45]]))
    image = draw(env)
    assert count(around(before, place, 0.5), ENEMY) > 100
    assert count(around(image, place, 0.5), ENEMY) == 0


def test_a_cross_marks_where_one_died():
    env = make("3m", seed=1)
    renderer = Renderer(env)
    while bool((env.games.units[HEALTH] > 0).all()):
        image, place = renderer.frame(), positions(env)[0].numpy()
        env.step(nearest(env))
    dead = (env.games.units[HEALTH, 0] <= 0).numpy().argmax()
    colour = ALLY if dead < 3 else ENEMY
    renderer.frames()
    cross = around(renderer.frame(), renderer.chronicle.now.place[dead], 0.3)
    assert np.hypot(*(renderer.chronicle.now.place[dead] - place[dead])) < 1.2  # as far as a marine walks
    assert count(around(image, place[dead], 0.3), colour) > 50
    assert count(cross, colour) < 20
    assert np.abs(cross.astype(int) - cross[0, cross.shape[1] // 2]).max() > 20


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_bars_are_as_long_as_what_is_left(share):
    env = make("2s3z")
    place = torch.tensor(
        [[[5.0, 10], [5, 16], [5, 22], [9, 10], [9, 16], [23, 8], [23, 11], [23, 14], [23, 17], [23, 20]]]
    )
    health, shield = env.games.units[HEALTH].clone(), env.games.units[4].clone()
    health[0, 3], shield[0, 3] = 100 * share, 50 * (1 - share)
    change(env, position=place, health=health, shield=shield)
    area = around(draw(env), (9, 10.8), 0.7)
    rows = {
        name: max(int((np.abs(row.astype(int) - colour).max(1) <= 6).sum()) for row in area)
        for name, colour in (("health", HEALTH_BAR), ("shield", SHIELD_BAR))
    }
    full = 0.8 * SCALE
    assert rows["health"] == pytest.approx(full * share, abs=1.5)
    assert rows["shield"] == pytest.approx(full * (1 - share), abs=1.5)
    assert count(around(draw(env), (5, 16.9), 0.7), SHIELD_BAR) == 0  # nothing above those who are whole


def test_shots_are_drawn_in_the_steps_in_which_somebody_fires():
    env, shown = make("3m", seed=2), []
    renderer = Renderer(env, frames_per_step=4)
    assert count(renderer.frame(), SPARK, 2) == 0
    for _ in range(20):
        before = env.games.units[COOLDOWN, 0]
        env.step(attack(env, 0) if env.games.t[0] % 3 else stop(env))
        fired = bool((env.games.units[COOLDOWN, 0] > before - 7).any())
        assert any(count(frame, SPARK, 2) > 0 for frame in renderer.frames()) == fired
        shown.append(fired)
    assert {True, False} == set(shown)


def test_a_shot_runs_from_the_shooter_to_its_target():
    env = spread()
    place = positions(env)
    place[0, 0] = torch.tensor([22.0, 10.0])  # 4.25 metres edge to edge from enemy 0
    change(env, position=place)
    change(env, cooldown=torch.tensor([[0.0] + [9.0] * 5]))
    renderer = Renderer(env, frames_per_step=4)
    renderer.frames()
    env.step(torch.tensor([[6, 1, 1]]))
    first = renderer.frames()[0]
    middle = first[pixel(24.5, 10)].astype(int)
    assert middle[2] > middle[0] > 120  # bright, and bluish as the team
    spot = around(first, (26.625, 10), 0.3)
    assert count(spot, SPARK, 2) > 5


def test_an_agents_sight_is_nine_metres_and_its_range_six():
    env = spread()
    change(env, position=torch.tensor([[[16.0, 16], [5, 9], [5, 22], [27, 9], [27, 22], [22, 14]]]))
    plain, seen = draw(env), draw(env, agent=0)
    row, column = pixel(16, 16)
    for y, angle in ((0, 1), (0, -1)):
        ray = [
            np.abs(seen[row - y, column + angle * k].astype(int) - plain[row - y, column + angle * k]).max()
            for k in range(round(10.5 * SCALE))
        ]
        rings = [k for k in range(20, len(ray) - 2) if ray[k] > 30 and ray[k] == max(ray[k - 2 : k + 3])]
        assert rings[0] / SCALE == pytest.approx(6, abs=0.1)
        assert rings[-1] / SCALE == pytest.approx(9, abs=0.1)


def test_what_an_agent_cannot_see_is_faded():
    env = spread()
    change(env, position=torch.tensor([[[12.0, 16], [12, 20], [28, 22], [20.8, 16], [21.2, 16.9], [28, 9]]]))
    image = draw(env, agent=0)
    for place, colour, visible in (
        ((12, 20), ALLY, True),
        ((28, 22), ALLY, False),
        ((20.8, 16), ENEMY, True),
        ((28, 9), ENEMY, False),
    ):
        assert (count(around(image, place, 0.3), colour) > 50) == visible
    assert count(around(image, (21.2, 16.9), 0.3), ENEMY) < 50  # 9.24 metres away
    assert np.abs(image[pixel(28, 9.25)].astype(int) - image[pixel(28, 8)]).max() > 15  # faded, not gone


def test_a_step_is_as_many_frames_as_asked_and_the_end_is_held():
    env = make("3m", batch_size=2, seed=1)
    env.load_state_dict({**env.state_dict(), "t": torch.tensor([50, 50])})
    renderer = Renderer(env, game=1, frames_per_step=5)
    assert renderer.fps == 10
    assert len(renderer.frames()) == 1
    assert renderer.frames() == []
    while not env.games.terminated[1]:
        env.step(nearest(env))
        frames = renderer.frames()
        assert len(frames) == (15 if env.games.terminated[1] else 5)
    for frame in frames[5:]:
        assert np.array_equal(frame, frames[4])
    env.step(nearest(env))
    assert renderer.frames() == []
    env.reset()
    assert len(renderer.frames()) == 1


def test_units_walk_smoothly():
    env = spread()
    renderer = Renderer(env, frames_per_step=8)
    renderer.frames()
    env.step(torch.tensor([[4, 4, 4]]))  # east, 1.125 metres
    frames = renderer.frames()
    columns = []
    for frame in frames:
        blue = np.abs(frame[pixel(5, 17)[0] : pixel(5, 15)[0]].astype(int) - ALLY).max(2) <= 6
        columns.append(np.nonzero(blue)[1].mean())
    steps = np.diff(columns)
    assert steps == pytest.approx(1.125 * SCALE / 8, abs=0.7)


def test_looking_changes_nothing():
    env, other = make("MMM2", seed=4), make("MMM2", seed=4)
    renderer = Renderer(env, agent=9)
    for _ in range(5):
        for one in (env, other):
            one.step(nearest(one))
        renderer.frames()
    for name, tensor in env.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]) if torch.is_tensor(tensor) else True


@pytest.mark.parametrize(
    "map_name",
    ["MMM2", "1c3s5z", "bane_vs_bane", "6h_vs_8z", "2s_vs_1sc", "2c_vs_64zg", "corridor", "2m_vs_1z"],
)
def test_every_kind_of_map_can_be_drawn(map_name):
    env = make(map_name, seed=1)
    renderer = Renderer(env, agent=0, frames_per_step=1)
    renderer.frames()
    for _ in range(8):
        env.step(nearest(env))
        frame = renderer.frames()[0]
    assert frame.shape[1] == WIDTH
    assert frame.shape[0] <= WIDTH + HEADER
    assert count(frame, ALLY) > 30
    assert count(frame, ENEMY) > 30


def test_every_type_has_a_shape_of_its_own():
    assert set(SHAPES) == set(UNITS)
    outlines = {shape.tobytes() for shape in SHAPES.values()}
    assert len(outlines) == len(UNITS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"game": 1}, "no game 1: choose 0 to 0"),
        ({"agent": 3}, "no agent 3: choose 0 to 2"),
        ({"frames_per_step": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Renderer(make("3m"), **options)
