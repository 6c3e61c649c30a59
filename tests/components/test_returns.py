"""Returns and advantages: by hand, against loops over single episodes, and what must hold for any of them."""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cohort.components.functional import one_step_target
from cohort.components.returns import (
    discounted_returns,
    gae,
    n_step_returns,
    td_lambda_returns,
    tree_backup_returns,
)

GAMMA, LAMBDA = 0.9, 0.7


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Batch(NamedTuple):
    """Episodes of the lengths given; the ones that end do so in their last step, the others are cut there."""

    reward: Tensor
    terminated: Tensor
    value: Tensor  # V(s_0) to V(s_T) without the last
    next_value: Tensor
    mask: Tensor
    lengths: tuple[int, ...]

    def n_step(self, gamma: float, n: int) -> Tensor:
        return n_step_returns(self.reward, self.terminated, self.next_value, self.mask, gamma, n)

    def td_lambda(self, gamma: float, td_lambda: float) -> Tensor:
        return td_lambda_returns(self.reward, self.terminated, self.next_value, self.mask, gamma, td_lambda)

    def gae(self, gamma: float, gae_lambda: float) -> Tensor:
        return gae(self.reward, self.value, self.next_value, self.terminated, self.mask, gamma, gae_lambda)


def batch(
    lengths: tuple[int, ...] = (5, 1, 3, 4),
    ends: tuple[bool, ...] = (True, True, False, False),
    joint: int = 2,
    own_rewards: bool = False,
    padding: float = float("nan"),
    extra: int = 1,
    seed: int = 0,
) -> Batch:
    count, width = len(lengths), max(lengths) + extra
    mask = torch.arange(width) < torch.tensor(lengths)[:, None]
    terminated = torch.zeros(count, width, dtype=torch.bool)
    terminated[torch.arange(count), torch.tensor(lengths) - 1] = torch.tensor(ends)
    values = normal(count, max(lengths) + 1, joint, seed=seed)
    values = torch.cat([values, torch.zeros(count, extra, joint)], dim=1)
    reward = normal(count, max(lengths), joint, seed=seed + 1)
    reward = torch.cat([reward, torch.zeros(count, extra, joint)], dim=1)

    def padded(each: Tensor) -> Tensor:
        return each.masked_fill(~mask.unsqueeze(-1), padding)

    reward, value, following = padded(reward), padded(values[:, :-1]), padded(values[:, 1:])
    return Batch(reward if own_rewards else reward[..., 0], terminated, value, following, mask, lengths)


def episodes(given: Batch):
    """Every episode and joint value: its place, and lists of r_t, V(s_t), what V(s_{t+1}) counts for."""
    for b, length in enumerate(given.lengths):
        for j in range(given.value.shape[-1]):
            reward = given.reward[b, :length] if given.reward.dim() == 2 else given.reward[b, :length, j]
            following = given.next_value[b, :length, j] * ~given.terminated[b, :length]
            yield b, j, reward.unbind(), given.value[b, :length, j].unbind(), following.unbind()


def by_loops(given: Batch, of_episode) -> Tensor:
    """[B, T, J] from a function of one episode's lists, 0 in padding."""
    result = torch.zeros(given.value.shape, dtype=torch.float64)
    for b, j, reward, value, following in episodes(given):
        for t, found in enumerate(of_episode(reward, value, following)):
            result[b, t, j] = found
    return result


def n_step_loop(gamma: float, n: int):
    def of_episode(reward, value, following):
        for t in range(len(reward)):
            total, steps = 0.0, min(n, len(reward) - t)
            for k in range(steps):
                total = total + gamma**k * reward[t + k]
            yield total + gamma**steps * following[t + steps - 1]

    return of_episode


def td_lambda_loop(gamma: float, td_lambda: float):
    def of_episode(reward, value, following):
        found = [reward[-1] + gamma * following[-1]]
        for t in reversed(range(len(reward) - 1)):
            mixed = (1 - td_lambda) * following[t] + td_lambda * found[0]
            found.insert(0, reward[t] + gamma * mixed)
        return found

    return of_episode


def gae_loop(gamma: float, gae_lambda: float):
    def of_episode(reward, value, following):
        found, ahead = [], 0.0
        for t in reversed(range(len(reward))):
            ahead = reward[t] + gamma * following[t] - value[t] + gamma * gae_lambda * ahead
            found.insert(0, ahead)
        return found

    return of_episode


# --- by hand: three steps that pay 1, 2, 4; values of what follows are 10, 20, 40; gamma is 1/2


def by_hand(ends: bool) -> Batch:
    reward, mask = torch.tensor([[1.0, 2.0, 4.0]]), torch.ones(1, 3, dtype=torch.bool)
    values = torch.tensor([[[6.0], [10.0], [20.0], [40.0]]])
    return Batch(reward, torch.tensor([[False, False, ends]]), values[:, :-1], values[:, 1:], mask, (3,))


def test_discounted_returns_by_hand():
    assert discounted_returns(torch.tensor([[1.0, 2.0, 4.0]]), 0.5).tolist() == [[3.0, 4.0, 4.0]]


@pytest.mark.parametrize(
    ("n", "ends", "expected"),
    [
        (1, True, [1 + 5, 2 + 10, 4]),
        (1, False, [1 + 5, 2 + 10, 4 + 20]),
        (2, True, [1 + 1 + 5, 2 + 2, 4]),
        (2, False, [1 + 1 + 5, 2 + 2 + 10, 4 + 20]),
        (3, True, [1 + 1 + 1, 2 + 2, 4]),
        (9, False, [1 + 1 + 1 + 5, 2 + 2 + 10, 4 + 20]),
    ],
)
def test_n_step_returns_by_hand(n, ends, expected):
    assert by_hand(ends).n_step(0.5, n).flatten().tolist() == expected


@pytest.mark.parametrize(
    ("td_lambda", "ends", "expected"),
    [
        (0.0, True, [6, 12, 4]),
        (0.5, True, [1 + 0.5 * (5 + 4), 2 + 0.5 * (10 + 2), 4]),  # G_1 = 8 counts half, G_2 = 4 too
        (0.5, False, [1 + 0.5 * (5 + 6.5), 2 + 0.5 * (10 + 12), 24]),  # G_1 = 13, G_2 = 24
        (1.0, True, [3, 4, 4]),
        (1.0, False, [8, 14, 24]),
    ],
)
def test_td_lambda_returns_by_hand(td_lambda, ends, expected):
    assert by_hand(ends).td_lambda(0.5, td_lambda).flatten().tolist() == expected


@pytest.mark.parametrize(
    ("gae_lambda", "ends", "expected"),
    [
        (0.0, True, [0, 2, -16]),  # 1 + 5 - 6, 2 + 10 - 10, 4 - 20
        (0.0, False, [0, 2, 4]),  # the last: 4 + 20 - 20
        (1.0, True, [0 + 1 - 4, 2 - 8, -16]),
        (0.5, False, [0 + 0.5 + 0.25, 2 + 1, 4]),
    ],
)
def test_gae_by_hand(gae_lambda, ends, expected):
    assert by_hand(ends).gae(0.5, gae_lambda).flatten().tolist() == expected


# --- against loops


@pytest.mark.parametrize("own_rewards", [False, True])
@pytest.mark.parametrize("joint", [1, 3])
def test_all_of_them_are_what_a_loop_over_each_episode_gives(joint, own_rewards):
    given = batch(joint=joint, own_rewards=own_rewards)
    for n in (1, 2, 3, 4, 5, 50):
        torch.testing.assert_close(given.n_step(GAMMA, n), by_loops(given, n_step_loop(GAMMA, n)))
    for mix in (0.0, LAMBDA, 1.0):
        torch.testing.assert_close(given.td_lambda(GAMMA, mix), by_loops(given, td_lambda_loop(GAMMA, mix)))
        torch.testing.assert_close(given.gae(GAMMA, mix), by_loops(given, gae_loop(GAMMA, mix)))


@pytest.mark.parametrize("mix", [0.0, LAMBDA, 1.0])
@pytest.mark.parametrize("which", ["n_step", "td_lambda", "gae"])
def test_gradients_flow_to_rewards_and_values_as_through_the_loop(which, mix):
    loop = {
        "n_step": n_step_loop(GAMMA, 2),
        "td_lambda": td_lambda_loop(GAMMA, mix),
        "gae": gae_loop(GAMMA, mix),
    }[which]
    found = []
    for by_loop in (False, True):
        given = batch(own_rewards=True)
        leaves = [each.requires_grad_() for each in (given.reward, given.value, given.next_value)]
        vectorised = given.n_step(GAMMA, 2) if which == "n_step" else getattr(given, which)(GAMMA, mix)
        result = by_loops(given, loop) if by_loop else vectorised
        weights = normal(*result.shape, seed=9)
        gradients = torch.autograd.grad((weights * result).sum(), leaves, allow_unused=True)
        found.append([torch.zeros_like(weights) if each is None else each for each in gradients])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)  # loops never touch padding: its gradient is 0 in both
    assert which == "gae" or not found[0][1].any()  # returns are of what follows


# --- what must hold for any episodes

ANY = {
    "lengths": st.lists(st.integers(1, 8), min_size=1, max_size=5),
    "seed": st.integers(0, 2**20),
    "gamma": st.sampled_from([0.0, 0.3, 0.96, 0.99, 1.0]),
    "mix": st.sampled_from([0.0, 0.2, 0.95, 1.0]),
    "joint": st.sampled_from([1, 4]),
}


def any_batch(lengths: list[int], seed: int, joint: int = 2, **more) -> Batch:
    ends = tuple(bool((seed >> place) & 1) for place in range(len(lengths)))
    return batch(tuple(lengths), ends, joint, own_rewards=joint > 1, seed=seed, **more)


@settings(deadline=None)
@given(**ANY)
def test_lambda_1_is_all_rewards_and_what_the_end_is_worth(lengths, seed, gamma, mix, joint):
    given = any_batch(lengths, seed, joint)
    for b, j, reward, _, following in episodes(given):
        whole = sum(gamma**t * paid for t, paid in enumerate(reward)) + gamma ** len(reward) * following[-1]
        torch.testing.assert_close(given.td_lambda(gamma, 1.0)[b, 0, j], whole)


@settings(deadline=None)
@given(**ANY)
def test_relations_between_them(lengths, seed, gamma, mix, joint):
    given = any_batch(lengths, seed, joint)
    real = given.mask.unsqueeze(-1)
    one_step = one_step_target(given.reward, given.terminated, given.next_value, gamma)
    one_step = torch.where(real, one_step, 0.0)
    assert torch.equal(given.td_lambda(gamma, 0.0), one_step)
    assert torch.equal(given.n_step(gamma, 1), one_step)
    torch.testing.assert_close(given.n_step(gamma, 8), given.td_lambda(gamma, 1.0))
    value = torch.where(real, given.value, 0.0)
    torch.testing.assert_close(given.gae(gamma, mix) + value, given.td_lambda(gamma, mix))


@settings(deadline=None)
@given(**ANY)
def test_a_lambda_return_is_the_mean_of_n_step_returns_that_lambda_weighs(lengths, seed, gamma, mix, joint):
    """(1 - lambda) sum_{n < k} lambda^(n-1) G^n + lambda^(k-1) G^k with k steps left (Sutton and Barto, eq. 12.3)."""
    given = any_batch(lengths, seed, joint)
    of_n = torch.stack([given.n_step(gamma, n) for n in range(1, 9)])
    for b, length in enumerate(lengths):
        for t in range(length):
            left = length - t
            weights = [(1 - mix) * mix**n for n in range(left - 1)] + [mix ** (left - 1)]
            mean = sum(weight * of_n[n, b, t] for n, weight in enumerate(weights))
            torch.testing.assert_close(given.td_lambda(gamma, mix)[b, t], mean)


@settings(deadline=None)
@given(**ANY)
def test_padding_changes_nothing_however_much_and_whatever_it_is(lengths, seed, gamma, mix, joint):
    width, results = max(lengths), []
    for extra, padding in ((0, 0.0), (0, float("nan")), (4, float("inf"))):
        given = any_batch(lengths, seed, joint, extra=extra, padding=padding)
        found = given.n_step(gamma, 2), given.td_lambda(gamma, mix), given.gae(gamma, mix)
        assert all((each[~given.mask] == 0).all() for each in found)
        results.append([each[:, :width] for each in found])
    for other in results[1:]:
        for one, same in zip(results[0], other, strict=True):
            torch.testing.assert_close(one, same)


def test_terminated_steps_have_no_future_and_cut_ones_have():
    over, cut = by_hand(ends=True), by_hand(ends=False)
    later = cut._replace(next_value=cut.next_value + torch.tensor([0.0, 0.0, 8.0]).view(1, 3, 1))
    for one in (lambda each: each.n_step(0.5, 3), lambda each: each.td_lambda(0.5, 1.0)):
        assert (one(later) - one(cut)).flatten().tolist() == [1.0, 2.0, 4.0]
        assert torch.equal(one(over._replace(next_value=later.next_value)), one(over))


# --- matches to the horizon


def test_the_discount_matrix_has_no_overflow_at_gamma_0():
    reward = normal(2, 200)
    assert torch.equal(discounted_returns(reward, 0.0), reward)
    given = batch(lengths=(200, 3), ends=(False, True))
    torch.testing.assert_close(given.n_step(0.0, 3), given.td_lambda(0.0, 0.0))


def test_long_episodes_of_single_precision_stay_close_to_double_precision():
    lengths = (1000, 700)
    given = batch(lengths=lengths, ends=(True, False))
    single = given._replace(
        **{name: getattr(given, name).float() for name in ("reward", "value", "next_value")}
    )
    for which in ("td_lambda", "gae"):
        found, exact = getattr(single, which)(0.99, 0.95), getattr(given, which)(0.99, 0.95)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), exact, atol=1e-4, rtol=1e-5)


# --- tree backup


def tree_backup(given: Batch, chance: Tensor, gamma: float, tree_lambda: float, steps: int) -> Tensor:
    return tree_backup_returns(
        *(given.reward, given.terminated, given.value, given.next_value, chance, given.mask),
        *(gamma, tree_lambda, steps),
    )


def chances(given: Batch) -> Tensor:
    drawn = torch.rand(given.value.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    return drawn.masked_fill(~given.mask.unsqueeze(-1), float("nan"))


@pytest.mark.parametrize("steps", [1, 2, 3, 9])
@pytest.mark.parametrize("own_rewards", [True, False])
def test_tree_backup_sums_weighted_errors_by_loops(steps, own_rewards):
    given = batch(own_rewards=own_rewards)
    chance = chances(given)
    found = tree_backup(given, chance, GAMMA, LAMBDA, steps)
    for b, length in enumerate(given.lengths):
        for t in range(length):
            for j in range(2):
                expected = float(given.value[b, t, j])
                weight = 1.0
                for ahead in range(steps):
                    now = t + ahead
                    if now >= length:
                        break
                    if ahead:
                        weight *= GAMMA * LAMBDA * float(chance[b, now, j])
                    reward = given.reward[b, now, j] if own_rewards else given.reward[b, now]
                    after = 0.0 if given.terminated[b, now] else float(given.next_value[b, now, j])
                    expected += weight * (float(reward) + GAMMA * after - float(given.value[b, now, j]))
                assert float(found[b, t, j]) == pytest.approx(expected, abs=1e-12)
    assert not found[~given.mask].any()


def test_tree_backup_of_one_step_is_the_one_step_target_and_of_sure_actions_a_lambda_return():
    given = batch()
    mask = given.mask.unsqueeze(-1).expand_as(given.value)
    one = one_step_target(given.reward, given.terminated, given.next_value, GAMMA)
    torch.testing.assert_close(tree_backup(given, chances(given), GAMMA, LAMBDA, 1)[mask], one[mask])
    sure = torch.ones_like(given.value)
    advantage = given.gae(GAMMA, LAMBDA)
    found = tree_backup(given, sure, GAMMA, LAMBDA, len(sure[0]))
    torch.testing.assert_close(found[mask], (advantage + given.value)[mask])
