"""The meta-gradient against exact ones: by closed form, by enumerating every outcome, in the limit of many matches."""

import weakref
from itertools import combinations, product

import pytest
import torch

from benchmarks.per_step_lstm import PerStepPolicy
from cohort.chains.exact import ExactValues, discounted_value, joint_policy, mean_reward
from cohort.chains.sampled import SampledStage, Sampling
from cohort.chains.unroll import unroll
from cohort.envs.repeated_games import RepeatedGame, prisoners_dilemma
from cohort.modules.policies.lstm import LSTMPolicy
from cohort.modules.policies.table import TablePolicy
from tests.chains import oracles

SAMPLED_METHODS = ["meta_mapg", "meta_pg", "meta_mapg_no_own", "meta_mapg_own_constant"]


def uniform(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# --- exact, in a game of one step


def exact_one_shot(method: str, length: int, game: RepeatedGame) -> tuple[float, float]:
    """V^0 of the last joint policy, and its derivative by agent 0's first logit in state 0."""
    params, rates = oracles.constant_tables(), oracles.constant_rates(1, length)
    values = ExactValues(game, gamma=0.0, nodes=oracles.METHODS[method]["nodes"])
    *_, last = unroll(values.stage, params, rates, differentiate=True)
    value = discounted_value(game, last.logits, gamma=0.0)[0, 0]
    (gradient,) = torch.autograd.grad(value, params[0]["logits"])
    assert gradient[0, 0].sum().item() == pytest.approx(0, abs=1e-12)
    assert not gradient[0, 1:].any()
    return value.item(), gradient[0, 0, 0].item()


@pytest.mark.parametrize(
    ("length", "value", "meta_mapg", "meta_pg"),
    [
        (1, 0.1611679476, -0.7285222288, -0.7688350686),
        (2, 0.6482295120, 0.0214710637, -0.4763017450),
    ],
)
def test_exact_gradients_of_a_one_shot_game(length, value, meta_mapg, meta_pg):
    """With two updates the methods even differ in sign."""
    game = oracles.one_shot()
    assert exact_one_shot("meta_mapg", length, game) == pytest.approx((value, meta_mapg), abs=1e-10)
    assert exact_one_shot("meta_pg", length, game) == pytest.approx((value, meta_pg), abs=1e-10)


def test_in_a_one_shot_dilemma_there_is_nothing_to_shape():
    """Its rewards are a sum of what each does, so how a peer learns does not depend on agent 0."""
    game = oracles.double(prisoners_dilemma())
    found = [exact_one_shot(method, 1, game)[1] for method in ("meta_mapg", "meta_pg")]
    assert found == pytest.approx([0.1945, 0.1945], abs=5e-5)
    assert found[0] == pytest.approx(found[1], abs=1e-14)


# --- the estimator's expectation, over every outcome of K matches before and K after one update


def enumerated(method: str, matches: int, terms: str) -> float:
    """E[estimator] of one update, every pair of outcomes weighted by its probability."""
    outcomes = torch.tensor(list(product(range(4), repeat=2 * matches))).view(-1, 2, matches)
    params = oracles.constant_tables(len(outcomes))
    how = oracles.METHODS[method]
    sampling = Sampling(oracles.one_shot(), (TablePolicy(5, 2),) * 2, 0.9, how["nodes"], "dice", "none")
    stages = list(
        unroll(
            lambda each, place: SampledStage(sampling, each, oracles.given_matches(outcomes[:, place])),
            params,
            oracles.constant_rates(len(outcomes), 1),
            differentiate=True,
            own=how["own"],
        )
    )
    log_probability = sum(stage.log_prob(agent).sum((1, 2)) for stage in stages for agent in range(2))
    probability = log_probability.detach().exp()
    assert probability.sum().item() == pytest.approx(1)
    objective = 2 * oracles.objective_of(stages, method, terms)
    (gradient,) = torch.autograd.grad((probability * objective).sum(), params[0]["logits"])
    return gradient[:, 0, 0].sum().item()


@pytest.mark.parametrize(
    ("method", "terms", "expected"),
    [
        ("meta_mapg", "all", (-0.4549668726, -0.5766272588, -0.6208201896)),
        ("meta_mapg", "last", (-0.4852398560, -0.5810651099, -0.6215386688)),
        ("meta_pg", "all", (-0.5277209960, -0.6361262548, -0.6752055322)),
        ("meta_pg", "last", (-0.5579939794, -0.6405641059, -0.6759240115)),
    ],
)
def test_the_estimators_expectation_by_enumeration(method, terms, expected):
    for matches, value in enumerate(expected, start=1):
        assert enumerated(method, matches, terms) == pytest.approx(value, abs=1e-10)


class PlainStage(SampledStage):
    """Updates by mean scores times returns, as they are taken; DiCE's second derivative has their chances in it."""

    def objective(self, agent: int) -> torch.Tensor:
        return (self.log_prob(agent) * self.returns[:, agent]).sum(-1).mean(-1)


@pytest.mark.parametrize(
    ("matches", "expected"), [(1, -0.6404529999), (2, -0.6550869184), (3, -0.6712945425)]
)
def test_the_enumeration_has_the_gradient_of_what_sampled_updates_achieve(matches, expected):
    """sum over outcomes of p(outcomes) V^0(policies after the update): what Algorithm 1 literally runs."""
    outcomes = torch.tensor(list(product(range(4), repeat=matches)))
    params = oracles.constant_tables(1)
    spread = [{"logits": each["logits"].expand(len(outcomes), -1, -1)} for each in params]
    sampling = Sampling(oracles.one_shot(), (TablePolicy(5, 2),) * 2, 0.9, "own", "dice", "none")
    matches_of_all = oracles.given_matches(outcomes)
    first, after = unroll(
        lambda each, place: PlainStage(sampling, each, matches_of_all),
        spread,
        oracles.constant_rates(len(outcomes), 1),
        differentiate=True,
    )
    value = discounted_value(oracles.one_shot(), [each["logits"] for each in after.params], 0.0)[:, 0]
    probability = sum(first.log_prob(agent).sum((1, 2)) for agent in range(2)).exp()
    (gradient,) = torch.autograd.grad((probability * value).sum(), params[0]["logits"])
    assert gradient[0, 0, 0].item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("terms", ["all", "last"])
@pytest.mark.parametrize("inner_objective", ["dice", "loaded"])
def test_with_many_matches_the_estimators_mean_is_the_exact_gradient(terms, inner_objective):
    """One-shot, one update, K = 256: off by 0.005 at most, where Meta-PG's is off by 5.5 %."""
    chains, matches = 1500, 256
    params = oracles.constant_tables(chains)
    stages = oracles.played_chain(
        "meta_mapg",
        params,
        oracles.constant_rates(chains, 1),
        uniform(chains, 2, matches, 1, 2, seed=3),
        inner_objective=inner_objective,
        game=oracles.one_shot(),
        baseline="none",
    )
    objective = 2 * oracles.objective_of(stages, "meta_mapg", terms)
    (gradient,) = torch.autograd.grad(objective.sum(), params[0]["logits"])
    samples = gradient[:, 0, 0]
    error = samples.std().item() / chains**0.5
    assert error < 0.02
    assert samples.mean().item() == pytest.approx(-0.7285222288, abs=0.008 + 4 * error)


# --- the iterated dilemma: two updates, three steps


def horizon_value(game, logits, gamma: float, steps: int) -> torch.Tensor:
    """V of agent 0 over `steps` steps, state by state and forwards: [C]."""
    joint = joint_policy(logits)  # [C, S, A^N]
    visits, value = torch.zeros_like(joint[:, :, 0]), 0.0
    visits[:, 0] = 1.0
    for t in range(steps):
        outcomes = (visits.unsqueeze(1) @ joint).squeeze(1)  # [C, A^N]
        value = value + gamma**t * outcomes @ game.payoff[:, 0]
        visits = torch.cat([torch.zeros_like(outcomes[:, :1]), outcomes], dim=1)  # the state is the outcome
    return value


def exact_chain_gradient(method: str, length: int, steps: int) -> torch.Tensor:
    """Of sum_l V^0(phi_l) where every update is an exact gradient, the values found by going through the states."""
    game = oracles.double(prisoners_dilemma())
    swapped = RepeatedGame(game.payoff.flip(-1), game.actions, game.temperaments)  # agent 1's payoff first
    own, peer = (each["logits"] for each in oracles.tables(1, seed=4))
    start, total = own, 0.0
    for _ in range(length):
        of_own, of_peer = (
            horizon_value(game, (own, peer), 0.96, steps),
            horizon_value(swapped, (own, peer), 0.96, steps),
        )
        if method == "meta_pg":  # neither update knows what the other's parameters owe to phi_0
            of_own = horizon_value(game, (own, peer.detach()), 0.96, steps)
            of_peer = horizon_value(swapped, (own.detach(), peer), 0.96, steps)
        (up_own,) = torch.autograd.grad(of_own.sum(), own, create_graph=True)
        (up_peer,) = torch.autograd.grad(of_peer.sum(), peer, create_graph=True)
        if method in ("meta_mapg_no_own", "meta_mapg_own_constant"):
            up_own = up_own.detach()
        own, peer = own + 0.5 * up_own, peer + up_peer
        if method == "meta_pg":
            peer = peer.detach().requires_grad_()
        played = own.detach() if method == "meta_mapg_no_own" else own
        total = total + horizon_value(game, (played, peer), 0.96, steps)
    return torch.autograd.grad(total.sum(), start)[0][0]


def sampled_chain_gradient(method: str, terms: str, matches: int, chains: int) -> tuple[torch.Tensor, float]:
    """The mean over `chains` of the surrogate's gradient, and the length of its standard error."""
    params = [
        {"logits": each["logits"].detach().expand(chains, -1, -1).clone().requires_grad_()}
        for each in oracles.tables(1, seed=4)
    ]
    stages = oracles.played_chain(
        method,
        params,
        oracles.constant_rates(chains, 2, (0.5, 1.0)),
        uniform(chains, 3, matches, 3, 2, seed=5),
        baseline="none",
    )
    advantages = oracles.discounted_advantages(stages, 0.96)
    objective = 3 * oracles.objective_of(stages, method, terms, advantages=advantages)
    (gradient,) = torch.autograd.grad(objective.sum(), params[0]["logits"])
    return gradient.mean(dim=0), (gradient.var(dim=0).sum() / chains).sqrt().item()


def test_the_methods_differ_where_they_are_compared():
    gradients = [exact_chain_gradient(method, 2, 3) for method in SAMPLED_METHODS]
    for one, other in combinations(gradients, 2):
        assert (one - other).norm() / gradients[0].norm() > 0.1


@pytest.mark.parametrize("terms", ["all", "last"])
@pytest.mark.parametrize("method", SAMPLED_METHODS)
def test_in_the_iterated_dilemma_the_bias_falls_with_the_matches(method, terms):
    """O(1/K): seen 0.05 to 0.15 with 4 matches, 0.01 to 0.02 with 64, where the two methods are 0.3 apart and more."""
    exact = exact_chain_gradient(method, length=2, steps=3)
    off, noise = {}, {}
    for matches, chains in ((4, 20_000), (64, 2_500)):
        mean, error = sampled_chain_gradient(method, terms, matches, chains)
        off[matches], noise[matches] = (mean - exact).norm() / exact.norm(), error / exact.norm()
        assert torch.cosine_similarity(mean.flatten(), exact.flatten(), dim=0) > 0.994
    assert max(noise.values()) < 0.03
    assert off[64] < 0.02 + 3 * noise[64]
    assert off[4] > off[64]


# --- identities on one and the same sample


def sample_gradient(method: str, terms: str, peer_rate: float, inner_objective: str) -> torch.Tensor:
    params = oracles.tables(2)
    rates = oracles.constant_rates(2, 3, (0.5, peer_rate))
    draws = uniform(2, 4, 5, 6, 2)
    stages = oracles.played_chain(method, params, rates, draws, inner_objective=inner_objective)
    objective = oracles.objective_of(stages, method, terms)
    return torch.autograd.grad(objective.sum(), params[0]["logits"])[0]


@pytest.mark.parametrize("inner_objective", ["dice", "loaded"])
@pytest.mark.parametrize("terms", ["all", "last"])
def test_meta_mapg_is_meta_pg_when_peers_do_not_learn(terms, inner_objective):
    still = [sample_gradient(name, terms, 0.0, inner_objective) for name in ("meta_mapg", "meta_pg")]
    torch.testing.assert_close(*still, atol=1e-13, rtol=1e-12)
    assert still[0].abs().max() > 0.1
    learning = [sample_gradient(name, terms, 1.0, inner_objective) for name in ("meta_mapg", "meta_pg")]
    assert (learning[0] - learning[1]).abs().max() > 0.01


@pytest.mark.parametrize("terms", ["all", "last"])
def test_with_rates_of_zero_it_is_a_plain_policy_gradient(terms):
    params = oracles.tables(2)
    stages = oracles.played_chain(
        "meta_mapg", params, oracles.constant_rates(2, 3, (0, 0)), uniform(2, 4, 5, 6, 2)
    )
    objective = 4 * oracles.objective_of(stages, "meta_mapg", terms)
    (found,) = torch.autograd.grad(objective.sum(), params[0]["logits"], retain_graph=True)
    plain = torch.zeros(())
    for place, stage in enumerate(stages[1:], start=1):
        for earlier in stages[: place + 1] if terms == "all" else [stage]:
            fresh = SampledStage(stage.sampling, params, earlier.matches)
            plain = plain + (fresh.log_prob(0) * stage.returns[:, 0]).sum(-1).mean(-1).sum()
    (expected,) = torch.autograd.grad(plain, params[0]["logits"])
    torch.testing.assert_close(found, expected, atol=1e-13, rtol=1e-12)


def test_the_entropy_counts_at_the_first_policy_alone():
    params = oracles.tables(2)
    stages = oracles.played_chain("meta_mapg", params, oracles.constant_rates(2, 2), uniform(2, 3, 5, 6, 2))
    weighted, plain = (oracles.objective_of(stages, "meta_mapg", entropy_weight=w) for w in (0.5, 0.0))
    entropy = stages[0].entropy(0)
    chance = params[0]["logits"].softmax(-1)
    table = -(chance * chance.log()).sum(-1)
    torch.testing.assert_close(entropy, table.gather(1, stages[0].matches.states.flatten(1)).view_as(entropy))
    torch.testing.assert_close(weighted - plain, 0.5 * entropy.sum(-1).mean(-1) / 3)


@pytest.mark.parametrize("terms", ["all", "last"])
@pytest.mark.parametrize("inner_objective", ["dice", "loaded"])
@pytest.mark.parametrize("method", SAMPLED_METHODS)
def test_derivatives_by_hand_equal_the_unrolled_graph(method, inner_objective, terms):
    """LSTM(8) and a table, 3 chains, K = 4, T = 10, L = 3: with respect to the first policy and the inner rates."""
    found = []
    for kind in (LSTMPolicy, PerStepPolicy):
        policy = kind(5, 2, 8)
        generator = torch.Generator().manual_seed(4)
        first = [policy.initial(generator) for _ in range(3)]
        own = {
            name: torch.stack([each[name] for each in first]).double().requires_grad_() for name in first[0]
        }
        peer = oracles.tables(3)[1]
        rates = oracles.constant_rates(3, 3, (0.5, 1.0))
        rates[0].requires_grad_()
        stages = oracles.played_chain(
            method,
            [own, peer],
            rates,
            uniform(3, 4, 4, 10, 2),
            inner_objective=inner_objective,
            policies=(policy, TablePolicy(5, 2)),
        )
        objective = oracles.objective_of(stages, method, terms, entropy_weight=0.5)
        found.append(torch.autograd.grad(objective.sum(), [*own.values(), rates[0]], allow_unused=True))
    for ours, plain in zip(*found, strict=True):
        assert (ours is None) == (plain is None)
        if ours is not None:
            torch.testing.assert_close(ours, plain, atol=1e-12, rtol=1e-9)
    assert found[0][-1].abs().max() > 0


def test_without_a_graph_the_chain_is_the_same_and_nothing_is_kept():
    params = oracles.tables(2)
    draws = uniform(2, 4, 5, 6, 2)
    kept = oracles.played_chain("meta_mapg", params, oracles.constant_rates(2, 3), draws)
    sampling = Sampling(kept[0].sampling.game, kept[0].sampling.policies, 0.96, "own", "dice")
    plain = unroll(
        lambda each, place: sampling.stage(each, draws[:, place]),
        params,
        oracles.constant_rates(2, 3),
        differentiate=False,
    )
    for one, other in zip(kept, plain, strict=True):
        assert torch.equal(one.matches.states, other.matches.states)
        assert not other.matches.score.requires_grad
        for ours, theirs in zip(one.params, other.params, strict=True):
            torch.testing.assert_close(ours["logits"], theirs["logits"], atol=1e-12, rtol=1e-12)
            assert theirs["logits"].is_leaf


def test_who_keeps_no_stage_of_a_chain_without_a_graph_has_one_in_memory():
    draws, rates = uniform(2, 4, 5, 6, 2), oracles.constant_rates(2, 3)
    sampling = Sampling(oracles.double(prisoners_dilemma()), (TablePolicy(5, 2),) * 2, 0.96, "own", "dice")
    alive = weakref.WeakSet()

    def stage_of(params, place):
        alive.add(stage := sampling.stage(params, draws[:, place]))
        return stage

    most = 0
    for stage in unroll(stage_of, oracles.tables(2), rates, differentiate=False):
        assert stage.matches.score.shape == (2, 2)
        most = max(most, len(alive))
    assert most == 1


# --- looking ahead


@pytest.mark.parametrize(("looks", "least", "most"), [(0, -0.51, -0.49), (1, 0.47, 0.5), (3, 0.46, 0.5)])
def test_two_who_look_ahead_come_to_cooperate_in_the_dilemma(looks, least, most):
    """Exact LOLA against itself: 100 steps of Adam from indifference (Foerster et al. 2018)."""
    game = oracles.double(prisoners_dilemma())
    generator = torch.Generator().manual_seed(0)
    logits = [0.01 * torch.randn(1, 5, 2, dtype=torch.float64, generator=generator) for _ in range(2)]
    optimisers = [torch.optim.Adam([each.requires_grad_()], lr=0.2) for each in logits]
    values = ExactValues(game, 0.96, "all")
    for _ in range(100):
        gradients = []
        for agent in range(2):
            rates = [
                torch.full((1, looks), 0.0 if j == agent else 0.3, dtype=torch.float64) for j in range(2)
            ]
            *_, last = unroll(values.stage, [{"logits": each} for each in logits], rates, differentiate=True)
            gradients.append(torch.autograd.grad(last.objective(agent).sum(), logits[agent])[0])
        for each, gradient, optimiser in zip(logits, gradients, optimisers, strict=True):
            each.grad = -gradient
            optimiser.step()
    assert least < mean_reward(game, logits, 150).mean().item() < most
