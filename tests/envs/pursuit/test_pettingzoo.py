"""Every step beside PettingZoo's own Pursuit: the same places, the same moves, the same evaders' moves."""

import numpy as np
import pytest
import torch

from cohort.envs.pursuit.board import MOVES
from tests.envs.foreign.support import needs
from tests.envs.pursuit.support import make, places, put

STEPS = 100


class Script:
    """An evader controller that answers with what it was told, one evader after another."""

    def __init__(self) -> None:
        self.moves: list[int] = []

    def act(self, state):
        return self.moves.pop(0)


def pettingzoo(settings, controller):
    needs("pygame")
    needs("scipy")
    module = needs("pettingzoo.sisl.pursuit.pursuit")
    names = (
        "x_size",
        "y_size",
        "n_pursuers",
        "n_evaders",
        "obs_range",
        "surround",
        "n_catch",
        "freeze_evaders",
    )
    names += ("tag_reward", "catch_reward", "urgency_reward", "constraint_window")
    values = {name: getattr(settings, name) for name in names}
    if not settings.freeze_evaders:
        values["evader_controller"] = controller
    return module.parallel_env(
        max_cycles=settings.episode_limit, shared_reward=settings.common_reward, **values
    )


def chase(env, draw) -> np.ndarray:
    """[N] moves towards the four sides of the evader that is nearest to all: random pursuers catch next to nobody."""
    evaders = np.array([place for place in places(env, "evaders") if place])
    pursuers = np.array(places(env, "pursuers"))
    target = evaders[np.abs(evaders[:, None] - pursuers).sum((1, 2)).argmin()]
    goals = target + np.array(MOVES[:4])[np.arange(len(pursuers)) % 4] * env.settings.surround
    moves = draw.integers(5, size=len(pursuers))
    for i, way in enumerate(goals - pursuers):
        if draw.random() < 0.9:
            axis = draw.choice(2, p=np.abs(way) / np.abs(way).sum()) if way.any() else 2
            moves[i] = (int(way[0] > 0), 3 - int(way[1] > 0), 4)[axis]
    return moves


def play_both(seed: int, episodes: int = 3, random_share: float = 0.1, steps: int = STEPS, **changed) -> dict:
    """Play and compare; what happened, so that a test can say that something did."""
    env = make(**{"episode_limit": steps} | changed)
    script = Script()
    theirs = pettingzoo(env.settings, script)
    draw = np.random.default_rng(seed)
    seen = {"caught": 0, "paid": 0.0, "cleared": 0, "steps": 0}
    for episode in range(episodes):
        observed, _ = theirs.reset(seed=seed * 100 + episode)
        game = theirs.unwrapped.env
        names = theirs.possible_agents
        env.reset()
        put(
            env,
            *(
                [tuple(int(value) for value in unit.current_position()) for unit in units]
                for units in (game.pursuers, game.evaders)
            ),
        )
        compare(env, env.observation, observed, theirs)
        for step in range(1, steps + 1):
            moves = draw.integers(5, size=len(names)) if draw.random() < random_share else chase(env, draw)
            answers = draw.choice(5, size=env.settings.n_evaders, p=[0.1, 0.1, 0.1, 0.1, 0.6])
            env.moves = torch.from_numpy(answers)[None]
            before = env.scene.evaders[0] == env.board.nowhere
            ours = env.step(torch.from_numpy(moves)[None])
            gone = env.scene.evaders[0] == env.board.nowhere
            # theirs asks only for those that are left once the caught are removed, in order
            script.moves = answers[~gone.numpy()].tolist()
            observed, rewards, terminated, truncated, _ = theirs.step(
                dict(zip(names, map(int, moves), strict=True))
            )
            assert env.settings.freeze_evaders or not script.moves, "another number of evaders is left"
            compare(env, ours.observation, observed, theirs)
            paid = np.array([rewards[name] for name in names])
            expected = paid.mean() if env.settings.common_reward else paid
            np.testing.assert_allclose(ours.reward[0].numpy(), expected, atol=2e-6)
            cleared = bool(gone.all())
            ends = cleared or step == steps
            assert all(terminated.values()) == (cleared and step < steps)
            assert all(truncated.values()) == (step == steps)
            assert bool(ours.terminated[0]) == cleared
            assert bool(ours.truncated[0]) == (ends and not cleared)
            seen["caught"] += int((gone & ~before).sum())
            seen["paid"] += float(paid.mean())
            seen["cleared"] += cleared
            seen["steps"] += 1
            if ends:
                break
    theirs.close()
    return seen


def compare(env, observation, observed: dict, theirs) -> None:
    game = theirs.unwrapped.env
    assert places(env, "pursuers") == [tuple(map(int, unit.current_position())) for unit in game.pursuers]
    left = [place for place in places(env, "evaders") if place]
    assert left == [tuple(map(int, unit.current_position())) for unit in game.evaders]
    for i, name in enumerate(theirs.possible_agents):
        if name in observed:
            np.testing.assert_array_equal(observation.obs[0, i].numpy(), observed[name].reshape(-1))
    np.testing.assert_array_equal(observation.state[0].numpy(), theirs.state()[..., 1:].reshape(-1))


@pytest.mark.parametrize("seed", range(4))
def test_whole_episodes_are_those_of_pettingzoo(seed):
    seen = play_both(seed)
    assert seen["steps"] == 3 * STEPS
    assert seen["caught"] > 10
    assert seen["paid"] > 10


@pytest.mark.parametrize(
    "changed",
    [
        {"urgency_reward": -0.1, "tag_reward": 0.3, "catch_reward": 2.0},
        {"common_reward": True},
        {"surround": False, "n_catch": 2},
        {"surround": False, "n_catch": 3, "constraint_window": 0.9, "n_evaders": 20},
        {"freeze_evaders": True},
        {"obs_range": 1},
        {"obs_range": 21},
        {"x_size": 11, "y_size": 7, "n_evaders": 8, "n_pursuers": 5, "obs_range": 5},
        {"x_size": 9, "y_size": 14, "n_evaders": 6, "n_pursuers": 6, "obs_range": 3},
        {"x_size": 5, "y_size": 4, "n_evaders": 3, "n_pursuers": 3, "obs_range": 3},
    ],
    ids=str,
)
def test_other_settings_are_those_of_pettingzoo(changed):
    seen = play_both(9, episodes=2, **changed)
    assert seen["caught"] > 0


def test_a_cleared_board_ends_as_in_pettingzoo():
    seen = play_both(2, episodes=4, n_evaders=2, n_pursuers=8, surround=False)
    assert seen["cleared"] == 4


def test_starts_are_those_of_pettingzoo():
    """How often each cell holds a pursuer, and an evader, over many starts of both, and who is next to whom."""
    games, starts = 400, 400
    changed = {"constraint_window": 0.8, "n_evaders": 12}
    env, script = make(games, **changed), Script()
    env.reset()
    theirs = pettingzoo(env.settings, script)
    found = {name: np.zeros((16, 16)) for name in ("pursuers", "evaders")}
    for seed in range(starts):
        theirs.reset(seed=seed)
        for name, counts in found.items():
            for unit in getattr(theirs.unwrapped.env, name):
                counts[tuple(unit.current_position())] += 1
    for name, counts in found.items():
        cells = getattr(env.scene, name)
        ours = torch.zeros(16, 16)
        ours.index_put_((env.board.x[cells], env.board.y[cells]), torch.ones(()), accumulate=True)
        ours = ours.numpy()
        assert ours.sum() == counts.sum()
        assert (ours == 0)[5:12, 4:13].all()
        assert (counts == 0)[5:12, 4:13].all()
        both = ours + counts  # two samples of one distribution: chi-squared about its degrees of freedom
        filled = both > 0
        statistic = ((ours - counts)[filled] ** 2 / both[filled]).sum()
        freedom = filled.sum() - 1
        assert abs(statistic - freedom) < 4 * np.sqrt(2 * freedom)
