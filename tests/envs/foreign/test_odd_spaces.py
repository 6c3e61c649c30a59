"""Actions of several parts, actions without bounds, and states that are no method."""

import itertools

import numpy as np
import pytest

from cohort.errors import UserError
from tests.envs.foreign.support import needs

needs("gymnasium")
needs("pettingzoo")

from gymnasium import spaces  # noqa: E402

from cohort.envs.foreign.agent_spaces import MOST_COMBINATIONS, AgentSpaces  # noqa: E402
from cohort.envs.foreign.parallel import ParallelGame  # noqa: E402
from cohort.envs.foreign.settings import PettingZooSettings  # noqa: E402
from tests.envs.foreign import parallel_teams  # noqa: E402

SEEN = spaces.Box(0, 1, (2,))


def test_every_combination_has_a_number():
    seat = AgentSpaces("a", SEEN, spaces.MultiDiscrete([2, 3, 2], start=[0, 5, 1]))
    assert seat.n_actions == 12
    expected = list(itertools.product((0, 1), (5, 6, 7), (1, 2)))
    assert [tuple(seat.act(np.int64(number))) for number in range(12)] == expected


def test_a_table_of_parts_keeps_its_shape():
    space = spaces.MultiDiscrete(np.array([[2, 3], [4, 2]]))
    seat = AgentSpaces("a", SEEN, space)
    assert all(space.contains(seat.act(np.int64(number))) for number in range(48))


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.MultiDiscrete([MOST_COMBINATIONS, 2]), "2048 combinations; at most 1024"),
        (spaces.Box(-np.inf, np.inf, (2,)), "has no bounds"),
    ],
)
def test_what_cannot_be_chosen_from_is_refused(space, message):
    with pytest.raises(UserError, match=message):
        AgentSpaces("a", SEEN, space)


class _Game(ParallelGame):
    """`shrinking` with another `state`."""

    def __init__(self, own, **changes) -> None:
        self.own = own
        settings = PettingZooSettings(key="a.b", time_limit=9, **changes)
        super().__init__(settings, common_reward=True, scalarisation="sum")

    def open_env(self, render_mode):
        env = parallel_teams.shrinking()
        env.unwrapped.state = self.own
        return env

    def own_limit(self):
        return None


def test_a_state_that_is_no_method_names_the_key_that_helps():
    with pytest.raises(UserError, match=r"state is a dict, .*env_args\.obs_instead_of_state=True"):
        _Game({})
    assert _Game({}, obs_instead_of_state=True).reset(1).state.ndim == 1


def test_observations_instead_of_a_state_never_ask_for_it():
    def never():
        raise AssertionError("asked")

    game = _Game(never, obs_instead_of_state=True)
    assert game.reset(1).state.size == game.spec.state_dim


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (lambda: {}["walker"], r"raised KeyError \('walker'\)"),
        (lambda: [][0], "raised IndexError"),
        (lambda: None.position, "raised AttributeError"),
        (lambda: np.zeros(4), "has 4 values, and had 3 at first"),
    ],
)
def test_a_state_that_fails_later_names_the_key_that_helps(then, words):
    """As multiwalker_v9's after a fall."""
    at_first = [np.zeros(3)] * 2  # when the game is opened, and when it begins
    game = _Game(lambda: at_first.pop() if at_first else then())
    game.reset(1)
    with pytest.raises(
        UserError, match=rf"state {words}.*: type env_args\.obs_instead_of_state=True"
    ) as refusal:
        game.step(np.zeros(3, dtype=int))
    assert "\n" not in str(refusal.value)


def test_a_state_that_fails_at_once_names_the_key_too():
    with pytest.raises(UserError, match=r"raised KeyError.*env_args\.obs_instead_of_state=True"):
        _Game(lambda: {}["walker"])
    without = _Game(lambda: None.position)  # what a game has that promises a state and has none
    assert without.spec.state_dim == without.reset(1).state.size


def test_rock_paper_scissors_has_a_state_that_is_no_method():
    rps = needs("pettingzoo.classic.rps_v2")
    from cohort.envs.foreign.pettingzoo_game import PettingZooGame

    for function in ("env", "parallel_env"):
        key = f"{rps.__name__}:{function}"
        with pytest.raises(UserError, match=r"env_args\.obs_instead_of_state=True"):
            PettingZooGame(PettingZooSettings(key=key, time_limit=5))
        game = PettingZooGame(
            PettingZooSettings(key=key, time_limit=5, obs_instead_of_state=True, common_reward=False)
        )
        game.reset(1)
        assert game.step(np.array([0, 1])).reward.tolist() == [-1, 1], "paper covers rock"
