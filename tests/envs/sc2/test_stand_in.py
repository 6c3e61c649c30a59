"""The stand-in behaves as the game does (docs/starcraft.md says what is known of it), and its knobs turn."""

import signal
import time
from pathlib import Path

import pytest

from tests.envs.sc2.stand_in_client import Apart, Direct, Program, gone, program
from tests.envs.sc2.stand_in_installation import launches, make_installation, missing_packages

pytestmark = pytest.mark.skipif(bool(missing_packages()), reason=missing_packages())

LAUNCHED, INIT_GAME, IN_GAME, ENDED, QUIT = 1, 2, 3, 5, 6
CREATE = {"local_map": {"map_path": "SMAC_Maps/3m.SC2Map"}}


@pytest.fixture(scope="module")
def apart():
    """Calls a function of this file in a process that can load s2clientprotocol."""
    apart = Apart()
    yield apart
    apart.close()


def _begun(**knobs):
    """A game of 3m."""
    game = Direct(**knobs)
    game.ask(create_game=CREATE)
    game.ask(join_game={})
    return game


def _sight(game):
    """Owner, type and position of all units by tag."""
    units = game.ask(observation={}).observation.observation.raw_data.units
    return {u.tag: (u.owner, u.unit_type, u.pos.x, u.pos.y) for u in units}


def _statuses():
    game = Direct()
    asked = [
        ("ping", {}), ("step", {"count": 8}), ("create_game", CREATE), ("observation", {}), ("join_game", {}),
        ("join_game", {}), ("game_info", {}), ("observation", {}), ("available_maps", {}), ("quit", {}),
    ]  # fmt: skip
    answers = [(kind, game.ask(**{kind: contents})) for kind, contents in asked]
    return [answer.id for _, answer in answers], [
        (kind, answer.status, bool(answer.error)) for kind, answer in answers
    ]


def test_statuses_follow_the_requests_and_wrong_requests_are_answered_with_errors(apart):
    ids, answers = apart(_statuses)
    assert ids == list(range(1, len(ids) + 1))
    assert answers == [
        ("ping", LAUNCHED, False),
        ("step", LAUNCHED, True),
        ("create_game", INIT_GAME, False),
        ("observation", INIT_GAME, True),
        ("join_game", IN_GAME, False),
        ("join_game", IN_GAME, True),
        ("game_info", IN_GAME, False),
        ("observation", IN_GAME, False),
        ("available_maps", IN_GAME, True),
        ("quit", QUIT, False),
    ]


def _ground(**knobs):
    info = _begun(**knobs).ask(game_info={}).game_info.start_raw
    grid = info.pathing_grid
    return grid.bits_per_pixel, grid.data, info.map_size.x, info.playable_area.p0.x, info.playable_area.p1.x


def test_game_info_describes_the_ground(apart):
    bits, grid, *sizes = apart(_ground)
    assert (bits, sizes) == (1, [32, 0, 32])
    # The game's own grid, published in oxwhirl/smac issue 11: x 2..29 can be walked on for y 7..24.
    assert grid == bytes(4 * 7) + bytes([0b00111111, 0xFF, 0xFF, 0b11111100]) * 18 + bytes(4 * 7)


def _old_ground():
    return _ground(old_pathing=True)


def test_old_builds_mark_what_is_blocked_from_the_top(apart):
    bits, grid, *_ = apart(_old_ground)
    blocked, lane = bytes([255]) * 32, bytes([255] * 2 + [0] * 28 + [255] * 2)
    assert bits == 8
    assert grid == blocked * 7 + lane * 18 + blocked * 7


def _first_sight():
    units = _begun().ask(observation={}).observation.observation.raw_data.units
    return [(u.owner, u.unit_type, u.health, u.health_max) for u in units], [u.pos.x for u in units]


def test_the_first_observation_shows_both_teams(apart):
    units, x = apart(_first_sight)
    assert units == [(1, 2005, 45, 45)] * 3 + [(2, 48, 45, 45)] * 3
    assert (max(x[:3]) < 12, min(x[3:]) > 20) == (True, True)


def _orders():
    game = _begun()
    before = _sight(game)
    tag = min(before)
    _, _, x, y = before[tag]

    def order(**command):
        answer = game.ask(action={"actions": [{"action_raw": {"unit_command": command}}]})
        return list(answer.action.result), bool(answer.error)

    west = {"ability_id": 16, "unit_tags": [tag], "target_world_space_pos": {"x": x - 2, "y": y}}
    waits = [bool(game.ask(step={"count": 8}).error), _sight(game) == before]
    order(**west)
    waits.append(bool(game.ask(step={"count": 4}).error))
    results = [order(**west)]
    game.ask(step={"count": 8})
    after = _sight(game)
    results += [
        order(ability_id=16, unit_tags=[tag], target_world_space_pos={"x": x, "y": y + 5}),
        order(ability_id=4, unit_tags=[12345]),
        order(ability_id=386, unit_tags=[tag], target_unit_tag=tag),
    ]
    game.ask(debug={"debug": [{"kill_unit": {"tag": list(after)}}]})
    empty = _sight(game)
    game.ask(step={"count": 2})
    return waits, results, (after[tag][2] - x, after[tag][3] - y), before, empty, _sight(game)


def test_orders_move_units_kills_remove_them_and_the_map_brings_new_ones(apart):
    waits, results, way, before, empty, new = apart(_orders)
    # Without an order the battle waits; with one it advances by 8 loops only.
    assert waits == [False, True, True]
    assert results == [
        ([1], False),
        ([], True),  # no action of SMAC has that goal
        ([3], False),  # no such unit
        ([], True),  # a marine heals nobody
    ]
    assert way == pytest.approx((-1.125, 0), abs=1e-5)  # 2.25 m/s for half a second
    assert empty == {}
    assert list(new.values()) == list(before.values())
    assert not new.keys() & before.keys()


def _tags(repeat):
    from tests.envs.sc2.stand_in_game import Game
    from tests.envs.sc2.stand_in_installation import Knobs

    games = [_begun(), _begun()]
    for launch, game in enumerate(games, 1):
        game.game = Game(Knobs(repeat_tags=repeat), launch)
        game.ask(create_game=CREATE)
        game.ask(join_game={})
    return _sight(games[0]).keys() == _sight(games[1]).keys()


@pytest.mark.parametrize("repeat", [False, True])
def test_processes_repeat_tags_only_when_told_to(apart, repeat):
    assert apart(_tags, repeat) == repeat


def _errors():
    game = Direct(fault="error", fault_request="game_info", fault_count=2)
    game.ask(create_game=CREATE)
    game.ask(join_game={})
    return [bool(game.ask(game_info={}).error) for _ in range(3)]


def test_a_fault_waits_for_its_count(apart):
    assert apart(_errors) == [False, True, False]


# -- the program


def _fault(folder, knobs):
    """What becomes of a ping: the answer's errors, "T" if the process is stopped, "S" if it sleeps, its exit status."""
    from websockets.exceptions import ConnectionClosed

    try:
        with program(folder, fault_request="ping", **knobs) as game:
            try:
                return len(game.ask(timeout=0.5, ping={}).error)
            except TimeoutError:
                return Path(f"/proc/{game.process.pid}/stat").read_text().split()[2]
            except ConnectionClosed:
                return f"exit {game.process.wait()}"
    except ConnectionRefusedError:
        return "refused"


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [("", 0), ("exit", "exit 1"), ("error", 1), ("hang", "S"), ("stop", "T"), ("no_launch", "refused")],
)
def test_faults(apart, tmp_path, fault, outcome):
    assert apart(_fault, tmp_path, {"fault": fault}) == outcome
    assert gone(launches(tmp_path))


def test_a_fault_waits_for_its_launch(apart, tmp_path):
    knobs = {"fault": "error", "fault_launches": (2,)}
    assert [apart(_fault, tmp_path, knobs) for _ in range(3)] == [0, 1, 0]
    assert len(set(launches(tmp_path))) == 3


def test_a_misspelt_fault_is_refused(tmp_path):
    with pytest.raises(ValueError, match="it can be one of"):
        make_installation(tmp_path, fault="explode")


def _leave(folder, how):
    with program(folder) as game:
        if how == "quit":
            game.ask(quit={})
        elif how == "terminate":
            game.process.terminate()
        else:
            game.connection.close()
            time.sleep(0.2)
            return game.process.poll()
        return game.process.wait(5)


@pytest.mark.parametrize(
    ("how", "exit_status"), [("quit", 0), ("terminate", -signal.SIGTERM), ("close", None)]
)
def test_the_program_goes_when_told_to_but_outlives_its_client(apart, tmp_path, how, exit_status):
    assert apart(_leave, tmp_path, how) == exit_status


def _wrong_path(folder):
    from websockets.exceptions import InvalidStatus

    make_installation(folder)
    try:
        Program(folder, path="/other")
    except InvalidStatus as error:
        return error.response.status_code


def test_only_the_api_s_path_is_served(apart, tmp_path):
    assert apart(_wrong_path, tmp_path) == 404
