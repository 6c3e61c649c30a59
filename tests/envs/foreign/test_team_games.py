"""Games of other libraries inside their worker, called directly: padding, masks, rewards, ends, actions."""

import random

import numpy as np
import pytest

from tests.envs.foreign.support import needs

gymnasium = needs("gymnasium")
needs("pettingzoo")

from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, Text  # noqa: E402

from cohort.envs.foreign.agent_spaces import AgentSpaces  # noqa: E402
from cohort.envs.foreign.gymnasium_game import GymnasiumGame  # noqa: E402
from cohort.envs.foreign.pettingzoo_game import PettingZooGame  # noqa: E402
from cohort.envs.foreign.settings import GymnasiumSettings, PettingZooSettings  # noqa: E402
from cohort.envs.foreign.team import how_it_ended  # noqa: E402
from cohort.errors import UserError  # noqa: E402

SHRINKING = "tests.envs.foreign.parallel_teams:shrinking"
GATHER = "tests.envs.foreign.gymnasium_teams:Gather-v0"


def shrinking(time_limit=9, **changes) -> PettingZooGame:
    return PettingZooGame(PettingZooSettings(key=SHRINKING, time_limit=time_limit, **changes))


def gather(time_limit=50, key=GATHER, **changes) -> GymnasiumGame:
    return GymnasiumGame(GymnasiumSettings(key=key, time_limit=time_limit, **changes))


def episode(game, seed=1, actions=(0, 0, 1)) -> list:
    """All steps of an episode in which everybody repeats one action."""
    game.reset(seed)
    seen = []
    while not seen or not (seen[-1].terminated or seen[-1].truncated):
        seen.append(game.step(np.array(actions)))
    return seen


def test_unequal_agents_are_padded_and_masked():
    game = shrinking()
    spec = game.spec
    assert (spec.n_agents, spec.n_actions, spec.obs_dim, spec.state_dim) == (3, 4, 4, 3)
    assert (spec.episode_limit, spec.action_dim, spec.common_reward) == (9, 0, True)
    assert spec.agent_names == ("short", "long", "last")
    sight = game.reset(3)
    assert sight.obs.dtype == np.float32
    assert sight.obs[0, 2:].tolist() == [0, 0]
    assert sight.obs[2, 3] == 0
    available = sight.available_actions.astype(int).tolist()
    assert available == [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [1, 0, 1, 0],
    ]  # spaces, mask in the info, mask beside the obs
    second = game.step(np.array([0, 0, 0])).sight
    assert second.available_actions[2].astype(int).tolist() == [0, 1, 1, 0]
    assert second.obs[1].tolist() == pytest.approx([0.2] * 4)  # a picture of bytes 51


def test_who_has_left_sees_zeros_chooses_nothing_and_is_sent_nothing():
    game = shrinking()
    steps = episode(game, actions=(1, 0, 1))
    assert len(steps) == 5
    for t, played in enumerate(steps, start=1):
        for agent, leaves in enumerate((2, 5, 4)):
            if leaves <= t < 5:
                assert not played.sight.obs[agent].any()
                assert played.sight.available_actions[agent].astype(int).tolist() == [1, 0, 0, 0]
    sent = game.env.received
    assert [set(actions) for actions in sent] == [{"short", "long", "last"}] * 2 + [{"long", "last"}] * 2 + [
        {"long"}
    ]
    assert sent[0] == {"short": 4, "long": 0, "last": 1}  # short's actions begin at 3


def test_rewards_are_summed_averaged_or_each_agents_own():
    own = [[3 + 3, 0 + 3, 1 + 3], [6, 3, 4], [0, 2, 3], [0, 2, 3], [0, 1, 0]]
    paid = {
        "sum": episode(shrinking()),
        "mean": episode(shrinking(reward_scalarisation="mean")),
        "own": episode(shrinking(common_reward=False)),
    }
    assert [played.reward for played in paid["sum"]] == [sum(row) for row in own]
    assert [played.reward for played in paid["mean"]] == pytest.approx([sum(row) / 3 for row in own])
    assert [played.reward.tolist() for played in paid["own"]] == own
    assert not shrinking(common_reward=False).spec.common_reward


def test_an_end_is_an_end_and_a_cut_is_a_cut():
    ends = {
        "ended": episode(shrinking()),
        "cut by the game": episode(shrinking(kwargs={"cut": True})),
        "cut by time_limit": episode(shrinking(time_limit=3)),
        "ended at time_limit": episode(shrinking(time_limit=5)),
    }
    flags = {name: (len(steps), steps[-1].terminated, steps[-1].truncated) for name, steps in ends.items()}
    assert flags["ended"] == (5, True, False)
    assert flags["cut by the game"] == (5, False, True)
    assert flags["cut by time_limit"] == (3, False, True)
    assert flags["ended at time_limit"][:2] == (5, True)  # the worker lets the end go before
    last = ends["cut by the game"][-1].sight
    assert last.obs[1].tolist() == pytest.approx([1.0] * 4)  # what follows is bootstrapped from
    assert not last.available_actions[1].all()
    assert last.available_actions[1].any(), "a mask that leaves nothing leaves action 0"


@pytest.mark.parametrize(
    ("terminated", "truncated", "expected"),
    [
        ([True, True], [False, False], (True, False)),
        ([True, False], [False, True], (False, True)),
        ([False, False], [True, True], (False, True)),
        ([True, True], [True, True], (True, False)),
    ],
)
def test_one_agent_that_is_cut_off_makes_a_cut(terminated, truncated, expected):
    assert how_it_ended(terminated, truncated) == expected


def test_the_state_is_the_games_own_or_all_observations_in_a_row():
    sight = shrinking().reset(1)
    assert sight.state.tolist() == [0, 3, sight.obs[0, 1]]
    for game in (shrinking(kwargs={"has_state": False}), shrinking(obs_instead_of_state=True)):
        assert game.spec.state_dim == 2 + 4 + 3
        played = game.reset(1)
        assert played.state.tolist() == [*played.obs[0, :2], *played.obs[1], *played.obs[2, :3]]


def test_a_seed_decides_an_episode_whatever_it_draws_from():
    """`last` observes numbers of the process's generators."""
    game, other = shrinking(), shrinking()
    first = game.reset(2**62 + 5)
    random.random()
    game.step(np.array([0, 0, 0]))
    again, elsewhere = game.reset(2**62 + 5), other.reset(2**62 + 5)
    assert first.obs.tolist() == again.obs.tolist() == elsewhere.obs.tolist()
    assert first.obs.tolist() != game.reset(2**62 + 6).obs.tolist()


def test_the_limit_comes_from_the_key_from_max_cycles_or_from_nowhere():
    assert shrinking(time_limit=None, kwargs={"max_cycles": 4}).spec.episode_limit == 4
    assert shrinking(time_limit=3, kwargs={"max_cycles": 4}).spec.episode_limit == 3
    assert gather(time_limit=None, key=GATHER.replace("Gather-", "GatherLimited-")).spec.episode_limit == 7
    with pytest.raises(UserError, match=r"type env_args\.time_limit"):
        shrinking(time_limit=None)


def test_numbers_of_the_info_are_averaged_over_those_who_say_them():
    steps = episode(shrinking(info_keys=("place", "unheard_of")))
    assert [played.info["place"] for played in steps] == [1.0, 1.0, 1.5, 1.5, 1.0]
    assert {played.info["unheard_of"] for played in steps} == {0.0}


@pytest.mark.parametrize("kwargs", [{}, {"as_lists": True}, {"flags": "one"}])
def test_gymnasium_teams_play_as_they_say(kwargs):
    game = gather(kwargs=kwargs, info_keys=("reached", "place"))
    spec = game.spec
    assert (spec.n_agents, spec.n_actions, spec.obs_dim, spec.state_dim) == (2, 3, 2, 3)
    sight = game.reset(4)
    assert sight.available_actions.astype(int).tolist() == [[1, 1, 1], [1, 1, 0]]
    places = sight.obs[0].copy()
    assert sight.state.tolist() == [*places, places[1]]
    steps = 0
    while True:
        played, steps = game.step(np.array([2, 1])), steps + 1
        places = np.minimum(places + [2, 1], 3)
        assert played.sight.obs.tolist() == [[*places], [places[1], 0]]
        assert played.reward == places.sum()
        assert played.info == {"reached": (places == 3).sum(), "place": places.mean()}
        if played.terminated:
            break
    assert places.tolist() == [3, 3]
    assert steps >= 1
    assert not played.truncated


def test_gymnasiums_time_limit_cuts():
    last = episode(gather(time_limit=3), actions=(0, 0))[-1]
    assert (last.terminated, last.truncated) == (False, True)
    assert gather(common_reward=False).spec.common_reward is False


def test_a_game_that_is_over_at_its_own_limit_is_cut():
    """Whatever it calls it. Before the limit, and at a limit that is not the game's, an end is an end."""
    key = GATHER.replace("Gather-", "ShortGather-")
    last = episode(gather(time_limit=None, key=key), actions=(0, 0))
    assert (len(last), last[-1].terminated, last[-1].truncated) == (6, False, True)
    won = episode(gather(time_limit=None, key=key, kwargs={"max_steps": 9}), actions=(1, 1))
    assert len(won) < 9
    assert (won[-1].terminated, won[-1].truncated) == (True, False)
    at_mine = episode(gather(time_limit=len(won), key=key), actions=(1, 1))[-1]
    assert at_mine.terminated  # the worker lets the end go before
    within = episode(gather(time_limit=4, key=key), actions=(0, 0))
    assert (len(within), within[-1].terminated, within[-1].truncated) == (4, False, True)


@pytest.mark.parametrize(
    ("package", "key", "limit"),
    [
        ("lbforaging", "Foraging-8x8-2p-3f-v3", 50),
        ("rware", "rware-tiny-2ag-v2", 500),
    ],
)
def test_games_that_people_use_are_cut_at_their_limit(package, key, limit):
    """Both say `terminated` there. Nobody eats or delivers anything: all agents stand still."""
    needs(package)
    game = gather(time_limit=None, key=f"{package}:{key}")
    assert game.spec.episode_limit == limit
    steps = episode(game, actions=(0, 0))
    assert len(steps) == limit
    assert (steps[-1].terminated, steps[-1].truncated) == (False, True)


def test_mpe2_is_cut_at_its_limit():
    game = PettingZooGame(PettingZooSettings(key="mpe2.simple_spread_v3", kwargs={"max_cycles": 7}))
    steps = episode(game)
    assert (len(steps), steps[-1].terminated, steps[-1].truncated) == (7, False, True)


def test_environments_of_one_agent_are_refused():
    with pytest.raises(UserError, match="one entry per agent"):
        GymnasiumGame(GymnasiumSettings(key="CartPole-v1"))


def test_mpe2_is_mpe2():
    """Beside the library's own environment, checks and all, with the same seed and actions."""
    raw = needs("mpe2.simple_spread_v3").parallel_env()
    game = PettingZooGame(PettingZooSettings(key="mpe2.simple_spread_v3"))
    draw = np.random.default_rng(0)
    assert game.spec.episode_limit == 25
    for seed in (3, 4):
        seen, _ = raw.reset(seed=seed)
        sight = game.reset(seed)
        for t in range(25):
            assert np.array_equal(sight.obs, np.stack(list(seen.values())))
            assert np.array_equal(sight.state, raw.state())
            actions = draw.integers(5, size=3)
            seen, rewards, ended, cut, _ = raw.step(dict(zip(raw.agents, actions.tolist(), strict=True)))
            played = game.step(actions)
            sight = played.sight
            assert played.reward == pytest.approx(sum(rewards.values()), rel=1e-12)
            assert (
                (played.terminated, played.truncated)
                == (False, t == 24)
                == (any(ended.values()), any(cut.values()))
            )


def test_games_that_take_turns_are_played_at_once_where_pettingzoo_says_that_they_can_be():
    """mpe2's `env` takes turns; PettingZoo's conversion of it is its `parallel_env`."""
    needs("mpe2")
    games = [
        PettingZooGame(PettingZooSettings(key=f"mpe2.simple_spread_v3:{function}"))
        for function in ("env", "parallel_env")
    ]
    draw = np.random.default_rng(0)
    one, other = (game.reset(3) for game in games)
    for _ in range(25):
        assert np.array_equal(one.obs, other.obs)
        assert np.array_equal(one.state, other.state)
        actions = draw.integers(5, size=3)
        (one, *paid), (other, *also) = (game.step(actions) for game in games)
        assert paid == also


def test_a_module_without_parallel_env_is_asked_for_its_env(monkeypatch):
    monkeypatch.delattr(needs("mpe2.simple_spread_v3"), "parallel_env")
    assert PettingZooGame(PettingZooSettings(key="mpe2.simple_spread_v3")).spec.n_agents == 3


def test_what_takes_turns_by_its_nature_is_refused():
    needs("pettingzoo.classic.tictactoe_v3")
    for key, words in (
        ("pettingzoo.classic.tictactoe_v3", "take turns, and its metadata does not say is_parallelizable"),
        ("pettingzoo.classic.tictactoe_v3:nothing", "has no function nothing"),
        ("pettingzoo.classic.tictactoe_v1", "No module named 'pettingzoo.classic.tictactoe_v1'"),
    ):
        with pytest.raises(UserError, match=words) as refusal:
            PettingZooGame(PettingZooSettings(key=key))
        assert "\n" not in str(refusal.value)


def test_continuous_actions_are_stretched_to_their_bounds():
    seat = AgentSpaces("a", Discrete(3), Box(np.array([0, -4], np.float32), np.array([1, 2], np.float32)))
    assert (seat.n_actions, seat.action_dim, seat.obs_dim) == (0, 2, 3)
    assert seat.act(np.array([-1, 1, 9], np.float32)).tolist() == [0, 2]
    assert seat.act(np.array([0, 0, 9], np.float32)).tolist() == [0.5, -1]
    assert seat.act(np.array([7, -7, 9], np.float32)).tolist() == [1, -4], (
        "what is out of bounds is brought back"
    )
    assert seat.act(np.zeros(2)).dtype == np.float32
    assert seat.observe(2).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("observed", "acted", "words"),
    [
        (Box(0, 1, (2,)), MultiBinary(3), "only Discrete, MultiDiscrete and Box"),
        (Box(0, 1, (2,)), Box(-np.inf, np.inf, (2,)), "no bounds"),
        (Text(4), Discrete(2), "no fixed number of values"),
    ],
)
def test_spaces_without_a_common_form_are_refused(observed, acted, words):
    if isinstance(observed, Text):
        observed = Dict({"words": gymnasium.spaces.Sequence(Discrete(2))})
    with pytest.raises(UserError, match=words):
        AgentSpaces("a", observed, acted)
