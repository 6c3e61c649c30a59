"""What the pictures of particle worlds show, pixel by pixel, and videos of them."""

import numpy as np
import pytest
import torch

from cohort.envs.canvas import COLOURS, TEXT
from cohort.envs.particles.render import HEADER, LANDMARK, PREY, Renderer, draw
from cohort.errors import UserError
from cohort.recording.replay import Replay
from tests.envs.particles.support import PUSHED, SCENARIOS, make, put, random_actions, still

WIDTH = 640


def count(image: np.ndarray, colour: tuple[int, int, int], tolerance: int = 6) -> int:
    return int((np.abs(image.astype(int) - colour).max(2) <= tolerance).sum())


def around(image: np.ndarray, place, half: float, pixels: int = 16) -> np.ndarray:
    """The square around a place in a picture that shows [-half, half]^2."""
    scale = WIDTH / (2 * half)
    row, column = round(HEADER + (half - place[1]) * scale), round((place[0] + half) * scale)
    return image[max(0, row - pixels) : row + pixels, max(0, column - pixels) : column + pixels]


def test_agents_and_their_landmarks_have_the_same_colour_and_are_where_they_are():
    agents, landmarks = (
        [(-0.6, 0.6), (0.6, 0.6), (0.6, -0.6), (-0.6, -0.6)],
        [(-0.2, 0.3), (0.2, 0.3), (0.2, -0.3), (-0.2, -0.3)],
    )
    env = put(make("cooperative_navigation"), agents=agents, landmarks=landmarks)
    image = draw(env)
    assert image.shape == (HEADER + WIDTH, WIDTH, 3)
    assert image.dtype == np.uint8
    for i in range(4):
        for place, least in ((agents[i], 300), (landmarks[i], 150)):
            square = around(image, place, 1.12 * 0.75)
            assert count(square, COLOURS[i]) > least
            assert not any(count(square, COLOURS[other]) for other in range(4) if other != i)


def test_a_landmark_of_nobody_and_the_prey_have_colours_of_their_own():
    image = draw(put(make("going_together"), agents=[(0.5, 0.5), (-0.5, 0.5)], landmarks=[(0.1, -0.4)]))
    assert count(around(image, (0.1, -0.4), 1.12 * 0.75), LANDMARK) > 150
    image = draw(put(make("predator_prey", world_size=1.5), agents=[(1, 1)] * 4, prey=[(-1, -0.5)]))
    assert count(around(image, (-1, -0.5), 1.12 * 1.5), PREY) > 100


def test_predators_in_reach_of_the_prey_light_up():
    def redness(place, prey) -> int:
        env = put(make("predator_prey", n_agents=1, world_size=1.5, rho=0.5), agents=[place], prey=[prey])
        square = around(draw(env), place, 1.12 * 1.5, pixels=19).astype(int)
        return int((square[..., 0] - square[..., 1] > 60).sum())

    assert redness((0.4, 0.0), (0.0, 0.0)) > 300
    assert redness((0.6, 0.0), (0.0, 0.0)) == 0


def test_more_agents_than_colours_are_still_told_apart():
    env = make("clustering", n_agents=12)
    places = [(0.12 * i - 0.66, 0.0 if i % 2 else 0.3) for i in range(12)]
    image, seen = draw(put(env, agents=places)), set()
    for place in places:
        pixels = around(image, place, 1.12 * 0.75, pixels=9).reshape(-1, 3)
        colours, times = np.unique(pixels, axis=0, return_counts=True)
        seen.add(tuple(colours[times.argmax()]))
    assert len(seen) == 12


def test_the_view_widens_when_somebody_leaves():
    env = put(make("clustering", v_step=1.0), agents=[(0.0, 0.0)] * 8)
    renderer = Renderer(env)
    renderer.frame()
    actions = still(env)
    actions[0, 0, 0] = 1.0
    for _ in range(2):
        env.step(actions)
        image = renderer.frame()
    assert count(around(image, (2.0, 0.0), 1.08 * 2), COLOURS[0]) > 300


@pytest.mark.parametrize("name", [*SCENARIOS, *PUSHED, "h_predator_prey"])
def test_frames_come_with_steps_move_smoothly_and_end_with_a_pause(name):
    env = make(name, episode_limit=3)
    renderer = Renderer(env, frames_per_step=4)
    assert renderer.fps == 10
    env.reset()
    first, none = renderer.frames(), renderer.frames()
    assert (len(first), len(none)) == (1, 0)
    actions = random_actions(env, 4)
    env.step(actions[0])
    step = renderer.frames()
    assert len(step) == 4
    assert all(not np.array_equal(one, other) for one, other in zip([*first, *step], step, strict=False))
    assert np.array_equal(renderer.frame(), step[-1])
    env.step(actions[1])
    assert len(renderer.frames()) == 4
    env.step(actions[2])
    assert len(renderer.frames()) == 4 + 10  # a second
    env.step(actions[3])
    assert renderer.frames() == []
    env.reset()
    assert len(renderer.frames()) == 1


def test_steps_that_nobody_watched_give_one_frame_of_the_present():
    env = make("clustering")
    renderer = Renderer(env)
    env.reset()
    renderer.frames()
    for actions in random_actions(env, 2):
        env.step(actions)
    assert len(renderer.frames()) == 1


def test_a_trail_stays_where_an_agent_was():
    env = put(make("going_together"), agents=[(-0.5, 0), (0.5, 0.6)], landmarks=[(0.5, 0.65)])
    renderer = Renderer(env)
    actions = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    renderer.frames()
    for _ in range(3):
        env.step(actions)
        renderer.frames()
    behind = around(renderer.frame(), (-0.2, 0.0), 1.12 * 0.75, pixels=4).astype(int)
    assert (behind[..., 2] - behind[..., 0] > 40).any(), "no blue line"


def test_the_caption_counts_steps_and_return():
    env = put(make("clustering"), agents=[(0.3, 0.3)] * 8)
    renderer = Renderer(env)
    start = renderer.frame()[:HEADER]
    env.step(still(env))
    same_return = renderer.frame()[:HEADER]
    assert np.array_equal(start[:, -150:], same_return[:, -150:]), "the return is still 0"
    assert not np.array_equal(start[:, 200:-150], same_return[:, 200:-150]), "the step has changed"
    actions = still(env)
    actions[0, 0] = 1.0
    env.step(actions)
    assert not np.array_equal(renderer.frame()[:HEADER, -150:], start[:, -150:])
    assert count(start, TEXT) > 0


def test_an_agents_sight_is_drawn_as_lines_to_all_others():
    env = put(
        make("cooperative_navigation", n_agents=2),
        agents=[(-0.5, 0), (0.5, 0)],
        landmarks=[(0, 0.5), (0, -0.5)],
    )
    plain, sight = draw(env), draw(env, agent=1)
    for place in ((0.0, 0.0), (0.25, 0.25), (0.25, -0.25)):  # halfway to each of the three
        before, after = (around(image, place, 1.12 * 0.75, pixels=3) for image in (plain, sight))
        assert not np.array_equal(before, after)
    untouched = [around(image, (-0.25, 0.25), 1.12 * 0.75, pixels=3) for image in (plain, sight)]
    assert np.array_equal(*untouched), "agent 0's line to its landmark"


def test_a_game_that_has_not_begun_cannot_be_drawn():
    with pytest.raises(RuntimeError, match="reset"):
        draw(make("clustering"))


def test_drawing_changes_nothing():
    env, other = make("predator_prey", seed=2), make("predator_prey", seed=2)
    env.reset(), other.reset()
    renderer = Renderer(env)
    for actions in random_actions(env, 3):
        ours, theirs = env.step(actions), other.step(actions)
        renderer.frames()
        assert torch.equal(ours.observation.state, theirs.observation.state)
        assert torch.equal(ours.reward, theirs.reward)


@pytest.mark.parametrize("arguments", [{"game": 1}, {"agent": 8}, {"frames_per_step": 0}])
def test_what_is_not_there_cannot_be_drawn(arguments):
    with pytest.raises(ValueError, match=r"choose 0 to|at least 1"):
        Renderer(make("clustering"), **arguments)


@pytest.mark.parametrize("name", [*SCENARIOS, *PUSHED, "h_predator_prey"])
def test_a_game_is_filmed(name, tmp_path):
    env = make(name, episode_limit=2)
    with Replay(env, tmp_path / "game.gif") as replay:
        env.reset()
        replay.watch()
        for actions in random_actions(env, 2):
            env.step(actions)
            replay.watch()
    assert (tmp_path / "game.gif").read_bytes()[:4] == b"GIF8"
    with pytest.raises(UserError, match="agent 9"):
        Replay(env, tmp_path / "game.gif", agent=9)
