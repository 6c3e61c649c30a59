"""Pursuit's rules on hand-placed boards, its rewards, starts, ends and what it refuses."""

import pytest
import torch

from cohort.envs.pursuit.board import free_cells
from cohort.envs.pursuit.env import Pursuit
from tests.envs.pursuit.support import DOWN, LEFT, RIGHT, STAY, UP, make, places, put, stay

FAR = [(15, 15)] * 8  # where pursuers do not matter


def step_once(env, moves=None, evader_moves=None):
    shape = (env.batch_size, env.settings.n_evaders)
    env.moves = torch.full(shape, STAY) if evader_moves is None else torch.tensor([evader_moves])
    return env.step(stay(env) if moves is None else torch.tensor([moves]))


def board(pursuers: list, evaders: list, **changed) -> Pursuit:
    """A game of eight pursuers, those that are not given far away."""
    env = make(n_evaders=len(evaders), **changed)
    return put(env, pursuers + FAR[len(pursuers) :], evaders)


def rewards(env, **options) -> list[float]:
    return [round(value, 6) for value in step_once(env, **options).reward[0].tolist()]


def test_walls_are_where_pettingzoo_builds_them():
    walls = ~free_cells(16, 16)
    assert walls[4:13, 5:12].all()
    assert walls.sum() == 9 * 7


def test_four_sides_taken_catch_and_pay_all_who_stand_there():
    env = board([(1, 2), (3, 2), (2, 1), (2, 3)], [(2, 2), (14, 1)])
    assert rewards(env) == [5.01] * 4 + [0.0] * 4
    assert places(env, "evaders") == [None, (14, 1)]


def test_in_a_corner_two_sides_are_enough():
    """The corner's evader is beside both, and they are not in the corner themselves: it is counted once."""
    env = board([(0, 1), (1, 0)], [(0, 0), (14, 1)])
    assert rewards(env) == [5.01, 5.01] + [0.0] * 6


def test_three_of_four_sides_only_tag():
    env = board([(1, 2), (3, 2), (2, 1)], [(2, 2), (14, 1)])
    assert rewards(env) == [0.01] * 3 + [0.0] * 5
    assert places(env, "evaders")[0] == (2, 2)


def test_walls_take_sides():
    """At (5, 3) the wall block is above."""
    env = board([(4, 3), (6, 3), (5, 2)], [(5, 3), (14, 1)])
    assert rewards(env)[:4] == [5.01, 5.01, 5.01, 0.0]


def test_two_on_one_side_do_not_take_two_sides_and_both_are_paid_for_a_catch():
    env = board([(0, 1), (0, 1)], [(0, 0), (14, 1)])
    assert rewards(env)[:2] == [0.01, 0.01]
    env = board([(0, 1), (0, 1), (1, 0)], [(0, 0), (14, 1)])
    assert rewards(env)[:3] == [5.01] * 3


def test_two_evaders_caught_at_once_pay_a_pursuer_between_them_once():
    between = (2, 2)
    around = [(0, 2), (1, 1), (1, 3), (4, 2), (3, 1), (3, 3)]
    env = board([between, *around], [(1, 2), (3, 2), (14, 1)])
    assert rewards(env) == [5.02] + [5.01] * 6 + [0.0]
    assert places(env, "evaders") == [None, None, (14, 1)]


def test_pursuers_move_before_evaders_are_caught_and_evaders_after():
    env = board([(1, 2), (3, 2), (2, 1), (2, 4)], [(2, 2), (14, 1)])
    transition = step_once(env, [*[STAY] * 3, DOWN, *[STAY] * 4], [LEFT, UP])
    assert transition.reward[0, :4].gt(5).all()
    assert places(env, "evaders") == [None, (14, 2)]
    assert transition.info["caught"].tolist() == [1.0]


def test_moves_lead_against_walls_and_borders_nowhere():
    pursuers = [(0, 0), (0, 0), (15, 15), (15, 15), (4, 5), (12, 5), (6, 3), (6, 13)]
    env = put(make(n_evaders=2), pursuers, [(4, 8), (1, 8)])
    step_once(env, [LEFT, DOWN, RIGHT, UP, RIGHT, LEFT, UP, DOWN], [RIGHT, RIGHT])
    assert places(env, "pursuers") == pursuers
    assert places(env, "evaders") == [(4, 8), (2, 8)]
    step_once(env, [RIGHT, UP, LEFT, DOWN, LEFT, RIGHT, DOWN, UP], [DOWN, DOWN])
    assert places(env, "pursuers") == [
        (1, 0), (0, 1), (14, 15), (15, 14), (3, 5), (13, 5), (6, 2), (6, 14),
    ]  # fmt: skip
    assert places(env, "evaders") == [(4, 7), (2, 7)]


def test_tags_are_a_mean_over_the_moments_after_each_move():
    """All walk away from (and pursuer 5 towards) an evader: pursuer i has moved in 8 - i of 8 moments."""
    evaders = [(2, 2), (14, 14)]
    env = put(make(n_evaders=2), [(1, 2)] * 5 + [(4, 2)] + [(1, 2)] * 2, evaders)
    moves = [LEFT] * 8
    expected = [0.01 * i / 8 for i in range(8)]
    expected[5] = 0.01 * 3 / 8
    assert rewards(env, moves=moves) == pytest.approx(expected, abs=1e-6)
    env = put(make(n_evaders=2, average_tag=False), [(1, 2)] * 5 + [(4, 2)] + [(1, 2)] * 2, evaders)
    assert rewards(env, moves=moves) == [0.0] * 5 + [0.01] + [0.0] * 2


def test_where_a_side_is_off_the_map_its_own_cell_is_looked_at():
    env = put(make(n_evaders=1), [(0, 0), (0, 5), (3, 3), *FAR[3:]], [(0, 0)])
    assert rewards(env)[:3] == [0.02, 0.0, 0.0]
    env = put(make(n_evaders=1), [(0, 0), (0, 5), (3, 3), *FAR[3:]], [(3, 3)])
    assert rewards(env)[:3] == [0.0, 0.0, 0.0]


def test_without_surround_pursuers_on_the_cell_catch():
    env = board([(2, 2), (2, 2), (3, 2)], [(2, 2), (4, 2)], surround=False, tag_reward=0.0)
    assert rewards(env) == [5.0, 5.0] + [0.0] * 6
    env = board([(2, 2), (2, 2), (3, 2)], [(2, 2), (4, 2)], surround=False, tag_reward=0.0, n_catch=3)
    assert rewards(env) == [0.0] * 8


@pytest.mark.parametrize(("how", "expected"), [("sum", 4 * 5.01 - 0.8), ("mean", 4 * 5.01 / 8 - 0.1)])
def test_one_reward_for_the_team(how, expected):
    env = board(
        [(1, 2), (3, 2), (2, 1), (2, 3)], [(2, 2), (14, 1)],
        common_reward=True, reward_scalarisation=how, urgency_reward=-0.1,
    )  # fmt: skip
    assert step_once(env).reward.tolist() == pytest.approx([expected])


def test_the_last_catch_terminates_also_in_the_last_step():
    caught = ([(0, 1), (1, 0)] + FAR[2:], [(0, 0)])
    for t, limit in ((0, 9), (8, 9)):
        env = put(make(n_evaders=1, episode_limit=limit, urgency_reward=-0.1), *caught, t=t)
        transition = step_once(env)
        assert (transition.terminated.tolist(), transition.truncated.tolist()) == ([True], [False])
        assert transition.reward[0, 0].item() == pytest.approx(4.91)
        after = step_once(env, [RIGHT] * 8)
        assert not after.reward.any()
        assert places(env, "pursuers")[:2] == [(0, 1), (1, 0)]
        assert torch.equal(after.observation.obs, transition.observation.obs)


def test_a_game_that_is_over_stays_while_others_go_on():
    env = make(2, n_evaders=1, urgency_reward=-0.1, episode_limit=3)
    put(env, [[(0, 1), (1, 0)] + FAR[2:], [(2, 2)] + FAR[1:]], [[(0, 0)], [(14, 1)]])
    env.moves = torch.tensor([[STAY], [UP]])
    ends = []
    for move in (STAY, LEFT, LEFT, LEFT):
        transition = env.step(torch.full((2, 8), move))
        ends.append((transition.terminated.tolist(), transition.truncated.tolist()))
    assert ends[0] == ends[1] == ([True, False], [False, False])
    assert ends[2] == ends[3] == ([True, False], [False, True])
    assert places(env, "pursuers", 0)[:2] == [(0, 1), (1, 0)]
    assert places(env, "pursuers", 1)[0] == (0, 2)
    assert places(env, "evaders", 1) == [(14, 4)]


def test_frozen_evaders_stay():
    env = make(3, freeze_evaders=True)
    env.reset()
    before = env.scene.evaders
    step_once(env)
    assert torch.equal(env.scene.evaders, before)


def test_what_is_seen_is_the_square_around_each_pursuer():
    env = put(make(n_evaders=3), [(4, 4), (0, 0), (4, 4), *FAR[3:]], [(3, 4), (3, 4), (7, 4)])
    seen = env.observation.obs[0].view(8, 7, 7, 3)
    own = seen[0]  # [y, x, plane]; itself in the middle
    assert own[3, 3].tolist() == [0, 2, 0]  # two pursuers on its cell
    assert own[3, 2].tolist() == [0, 0, 2]
    assert own[3, 4].tolist() == [1, 0, 0]  # the wall block begins at x = 5
    assert own[3, 6].tolist() == [1, 0, 1]  # no evader can be in a wall; here one was put there
    assert own[2, 4].tolist() == [0, 0, 0]  # below the block
    corner = seen[1]
    assert corner[:3, :, 0].all()
    assert corner[:, :3, 0].all()
    assert not corner[3:, 3:, 0].any()
    assert env.observation.state.view(16, 16, 2)[4, 4].tolist() == [2, 0]
    assert env.observation.state.view(16, 16, 2)[4, 3].tolist() == [0, 2]
    assert env.observation.state.sum() == 8 + 3


def test_nobody_begins_in_a_wall_outside_the_window_or_beside_its_own_side():
    env = make(300, n_pursuers=5, n_evaders=6, constraint_window=0.75)
    for _ in range(3):
        env.reset()
        for cells in env.scene:
            assert env.board.free[cells].all()
            x, y = env.board.x[cells], env.board.y[cells]
            apart = (x[:, :, None] - x[:, None]).abs() + (y[:, :, None] - y[:, None]).abs()
            assert (apart + 9 * torch.eye(cells.shape[1], dtype=torch.int64) >= 2).all()
        x, y = (values[torch.cat(env.scene, 1)] for values in (env.board.x, env.board.y))
        assert max(int((each.amax(1) - each.amin(1)).max()) for each in (x, y)) == 12 - 1


def test_random_pursuers_get_what_they_get_in_pettingzoo():
    """Without urgency, per agent in 100 steps: 0.7 to 1.1, and far below the limit of 30 * 4 * 5 / 8."""
    env = make(400, cls=Pursuit)
    env.reset()
    draw, returns = torch.Generator().manual_seed(0), torch.zeros(400)
    for _ in range(100):
        returns += env.step(torch.randint(5, (400, 8), generator=draw)).reward.mean(1)
    assert 0.7 < returns.mean() < 1.1
    assert returns.max() < 75


def test_evaders_moves_are_uniform():
    env = make(200, cls=Pursuit)
    env.reset()
    counts = torch.stack([torch.bincount(env.evader_moves().flatten(), minlength=5) for _ in range(5)]).sum(0)
    assert ((counts - 6000).abs() < 4 * (30000 * 0.2 * 0.8) ** 0.5).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"obs_range": 6}, "must be odd"),
        ({"n_catch": 9, "surround": False}, "only 8 pursuers"),
        ({"n_evaders": 40}, "only 39 surely find a place"),
        ({"constraint_window": 0.3}, r"n_pursuers = 8: only \d surely find"),
        ({"constraint_window": 0.05}, "only 0 surely find a place"),
        ({"constraint_window": 1.5}, "less than or equal to 1"),
        ({"x_size": 2}, "greater than or equal to 3"),
        ({"max_cycles": 500}, "Extra inputs"),
        ({"reward_scalarisation": "max"}, "'sum' or 'mean'"),
        ({"catch_reward": float("nan")}, "finite"),
    ],
)
def test_what_cannot_be_played_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        make(**changed)


def test_a_game_has_to_begin():
    with pytest.raises(RuntimeError, match="reset"):
        make().step(torch.zeros((1, 8), dtype=torch.int64))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_a_gpu_the_same_moves_bring_the_same():
    env, other = make(16), make(16)
    device = Pursuit(env.settings, batch_size=16, seed=1, device="cuda")
    device.evader_moves = lambda: moves.cuda()
    other.reset()
    device.load_state_dict(other.state_dict() | {"generator": device.generator.get_state()})
    draw = torch.Generator().manual_seed(0)
    for _ in range(30):
        actions = torch.randint(5, (16, 8), generator=draw)
        moves = other.moves = torch.randint(5, (16, 30), generator=draw)
        ours, theirs = other.step(actions), device.step(actions.cuda())
        assert torch.equal(ours.observation.obs, theirs.observation.obs.cpu())
        torch.testing.assert_close(ours.reward, theirs.reward.cpu())
