"""What the pictures of Pursuit show, pixel by pixel, and a video of it."""

import itertools

import numpy as np
import pytest
import torch

from cohort.envs.canvas import COLOURS
from cohort.envs.pursuit.render import EVADER, HEADER, WALL, Renderer, draw
from cohort.recording.replay import Replay
from tests.envs.pursuit.support import LEFT, STAY, UP, make, put, stay

CELL = 40  # pixels
FAR = [(15, 15), (14, 15), (13, 15), (12, 15), (15, 14), (14, 14), (13, 14), (12, 14)]


def at(image: np.ndarray, place: tuple[int, int]) -> np.ndarray:
    """The pixels of a cell."""
    row, column = HEADER + (15 - place[1]) * CELL, place[0] * CELL
    return image[row : row + CELL, column : column + CELL]


def count(image: np.ndarray, colour: tuple[int, int, int], tolerance: int = 6) -> int:
    return int((np.abs(image.astype(int) - colour).max(2) <= tolerance).sum())


def board(pursuers: list, evaders: list, **changed):
    env = make(n_evaders=len(evaders), **changed)
    env.moves = torch.full((1, len(evaders)), STAY)
    return put(env, pursuers + FAR[len(pursuers) :], evaders)


def test_everybody_and_the_walls_are_where_they_are():
    image = draw(board([(1, 2), (3, 13)], [(0, 0), (15, 1)]))
    assert image.shape == (HEADER + 16 * CELL, 16 * CELL, 3)
    assert image.dtype == np.uint8
    assert count(at(image, (1, 2)), COLOURS[0]) > 400
    assert count(at(image, (3, 13)), COLOURS[1]) > 400
    assert count(at(image, (0, 0)), EVADER) > 150
    assert count(at(image, (15, 1)), EVADER) > 150
    for place in ((5, 4), (11, 12), (8, 8)):
        assert count(at(image, place), WALL) > 0.9 * CELL**2
    for place in ((4, 4), (11, 13)):
        assert count(at(image, place), WALL) < 0.1 * CELL**2


def test_a_map_that_is_not_square_and_a_caught_evader():
    image = draw(board([(1, 2)] * 8, [(0, 0), None], y_size=8, x_size=16))
    assert image.shape == (HEADER + 8 * CELL, 16 * CELL, 3)


def test_the_square_that_a_pursuer_sees_is_lighter():
    env = board([(2, 2)], [(9, 1)])
    plain, sight = draw(env), draw(env, agent=0)
    for place, seen in (((5, 3), True), (((4, 1)), True), ((6, 2), False), ((2, 6), False)):
        assert np.array_equal(at(plain, place)[5:-5, 5:-5], at(sight, place)[5:-5, 5:-5]) != seen


def test_frames_come_with_steps_and_end_with_a_pause():
    env = board([(2, 2)], [(9, 1)], episode_limit=3)
    renderer = Renderer(env)
    assert renderer.fps == 20
    assert (len(renderer.frames()), len(renderer.frames())) == (1, 0)
    moves = torch.full((1, 8), LEFT)
    env.step(moves)
    step = renderer.frames()
    assert len(step) == 4
    assert all(not np.array_equal(one, other) for one, other in itertools.pairwise(step))
    assert np.array_equal(renderer.frame(), step[-1])
    assert count(at(step[-1], (1, 2)), COLOURS[0]) > 400
    env.step(moves)
    env.step(moves)
    assert len(renderer.frames()) == 1 + 20  # of the present, and a second
    env.step(moves)
    assert renderer.frames() == []
    env.reset()
    assert len(renderer.frames()) == 1


def test_a_catch_is_ringed_and_a_cleared_board_ends_the_film():
    env = make(2, n_evaders=1)
    env.moves = torch.tensor([[STAY], [UP]])
    put(env, [[(0, 1), (1, 0), *FAR[2:]], FAR], [[(0, 0)], [(1, 1)]])
    renderer = Renderer(env)
    renderer.frames()
    env.step(stay(env))
    images = renderer.frames()
    assert len(images) == 4 + 20
    corner = at(images[-1], (0, 0)).astype(int)
    assert int((corner[..., 0] - corner[..., 1] > 60).sum()) > 50
    assert count(corner, EVADER) == 0
    env.step(stay(env))  # the other game goes on
    assert renderer.frames() == []


def test_drawing_changes_nothing():
    env, other = make(seed=2), make(seed=2)
    env.reset(), other.reset()
    renderer = Renderer(env)
    for move in (LEFT, UP, STAY):
        ours, theirs = (each.step(torch.full((1, 8), move)) for each in (env, other))
        renderer.frames()
        assert torch.equal(ours.observation.obs, theirs.observation.obs)


def test_a_game_that_has_not_begun_cannot_be_drawn():
    with pytest.raises(RuntimeError, match="reset"):
        draw(make())


@pytest.mark.parametrize("arguments", [{"game": 1}, {"agent": 8}, {"frames_per_step": 0}])
def test_what_is_not_there_cannot_be_drawn(arguments):
    with pytest.raises(ValueError, match=r"choose 0 to|at least 1"):
        Renderer(make(), **arguments)


def test_many_pursuers_have_colours_of_their_own_and_the_game_is_filmed(tmp_path):
    env = make(n_pursuers=12, episode_limit=2)
    with Replay(env, tmp_path / "game.gif", agent=11) as replay:
        env.reset()
        replay.watch()
        for _ in range(2):
            env.step(stay(env))
            replay.watch()
    assert (tmp_path / "game.gif").read_bytes()[:4] == b"GIF8"
