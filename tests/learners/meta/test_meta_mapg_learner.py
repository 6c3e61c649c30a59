"""The outer update: which way it goes, what is limited and projected, what the critic learns."""

import copy

import pytest
import torch

from cohort.chains.matches import play_matches
from cohort.components.returns import discounted_returns
from cohort.components.seeding import generator
from cohort.configuration.plan import Sources, make_plan
from cohort.envs.repeated_games import prisoners_dilemma
from cohort.errors import UserError
from cohort.learners.meta.gradients import clip_rows, pcgrad, rows, step_along
from cohort.learners.meta.meta_mapg_learner import MetaMAPGLearner, meta_objective
from cohort.learners.meta.personas import draw_population

STEPS = 5


def make(method: str = "meta_mapg", **typed) -> MetaMAPGLearner:
    typed = {"chain_length": 2, "trajectories": 4, "rnn_hidden_dim": 4, "use_cuda": False, **typed}
    plan = make_plan(Sources.read(method, "ipd", typed))
    return plan["learner"].create(game=prisoners_dilemma(), steps=STEPS, device=torch.device("cpu"), seed=1)


def peers(chains: int) -> dict[str, torch.Tensor]:
    personas = draw_population(prisoners_dilemma(), 1, (chains, 1, 1))["train"]
    return {"logits": personas.logits[torch.arange(chains).unsqueeze(1)]}


def test_the_step_is_the_mean_of_clipped_and_projected_gradients():
    learner = make(grad_norm_clip=0.01, outer_lr=0.1)
    before = torch.cat([each.flatten() for each in learner.first.values()])
    uniform = learner.draw(3, generator(1, "matches"))
    gradients = learner.gradients(peers(3), uniform)[0]
    clipped = clip_rows(gradients["actor"], 0.01)[0]
    assert (clipped.norm(dim=1) - 0.01).abs().max() < 1e-6, "all three are longer than that"
    projected = pcgrad(clipped, generator(1, "conflicts")).mean(dim=0)
    metrics = learner.update(peers(3))
    moved = torch.cat([each.flatten() for each in learner.first.values()]) - before
    # Adam's first step is lr g / (|g| + eps)
    torch.testing.assert_close(moved, 0.1 * projected / (projected.abs() + 0.001), atol=1e-6, rtol=1e-3)
    assert float(metrics["actor_grad_norm"]) == pytest.approx(
        float(gradients["actor"].norm(dim=1).mean()), rel=1e-4
    )


def test_amsgrad_never_forgets_a_large_gradient():
    learner = make(outer_lr=0.1)
    optimiser, size = learner.optimisers["rates"], 2
    step_along(optimiser, torch.full((size,), 100.0))
    for _ in range(50):
        before = learner.rates.clone()
        step_along(optimiser, torch.full((size,), 0.01))
    plain = torch.full((size,), 0.1 * 0.01 / (0.01 + 0.001))
    assert ((learner.rates - before).abs() < 0.5 * plain).all()


def test_the_critic_learns_the_return_of_agent_0():
    learner = make("meta_pg", outer_critic_lr=0.02, outer_lr=1e-9, trajectories=16)
    errors = [float(learner.update(peers(2))["value_loss"]) for _ in range(25)]
    assert sum(errors[-5:]) < 0.9 * sum(errors[:5])


def test_advantages_are_those_of_a_critic_that_is_a_constant():
    """With zero weights the value is its bias; lambda = 1 makes the advantage the return less that."""
    learner = make(gae_lambda=1.0)
    for each in learner.critic.values():
        each.zero_()
    learner.critic["b_out"].fill_(0.25)
    start, uniform = learner.start(peers(2)), learner.draw(2, generator(2, "matches"))
    stage = learner.sampling().stage(start, uniform[:, 0])
    critic = {name: each.expand(2, *each.shape) for name, each in learner.critic.items()}
    (advantage,), errors = learner.judge([stage], critic)
    matches = play_matches(learner.game, learner.policies, start, uniform[:, 0])
    returns = discounted_returns(matches.reward[..., 0], 0.96)
    torch.testing.assert_close(advantage, returns - 0.25)
    torch.testing.assert_close(errors, (returns - 0.25).square().mean(dim=(1, 2)) / 2)


def test_every_stage_is_valued_by_itself():
    """All stages go through the value network as one batch: none may get another's advantages."""
    learner = make(trajectories=3)
    start, uniform = learner.start(peers(2)), learner.draw(2, generator(2, "matches"))
    stages = [learner.sampling().stage(start, uniform[:, place]) for place in range(3)]
    critic = {name: each.expand(2, *each.shape) for name, each in learner.critic.items()}
    together, errors = learner.judge(stages, critic)
    alone = [learner.judge([stage], critic) for stage in stages]
    for advantage, ((expected,), _) in zip(together, alone, strict=True):
        torch.testing.assert_close(advantage, expected)
    torch.testing.assert_close(errors * 4, sum(2 * each for _, each in alone))


def test_the_linear_baseline_serves_the_outer_advantages_too():
    """Then there is no critic, and the gradient is that of the objective with R - b."""
    learner = make(outer_baseline="linear", trajectories=4, meta_policy="table")
    uniform = learner.draw(2, generator(2, "matches"))
    found = learner.gradients(peers(2), uniform)[0]
    assert set(found) == {"actor", "rates"}
    start, rates = learner.start(peers(2)), learner.inner_rates(2)
    stages = learner.chain(start, rates, uniform)
    advantages = [stage.returns[:, 0] - stage.baseline[:, 0] for stage in stages[1:]]
    objective = meta_objective(stages, advantages, own=True, peer=True, terms="all", entropy_weight=0.5)
    (expected,) = torch.autograd.grad(objective.sum(), [start[0]["logits"]])
    torch.testing.assert_close(found["actor"], expected.flatten(1))
    assert "value_loss" not in learner.update(peers(2))


def test_no_outer_baseline_without_an_inner_one():
    with pytest.raises(UserError, match="inner_baseline=linear"):
        make(outer_baseline="linear", inner_baseline="none")


def test_with_peers_that_do_not_learn_the_two_methods_take_the_same_step():
    found = []
    for method in ("meta_mapg", "meta_pg"):
        learner = make(method, peer_lr=0.0)
        learner.update(peers(2))
        found.append(learner.first)
    for name, each in found[0].items():
        torch.testing.assert_close(each, found[1][name], atol=1e-6, rtol=1e-4)


def test_gradients_of_chains_stand_in_rows():
    found = rows([torch.ones(2, 3, 4), torch.zeros(2, 5)])
    assert found.shape == (2, 17)
    assert found.sum() == 24


def test_a_learners_state_continues():
    one, other = make(), make(seed=1)
    one.update(peers(2))
    one.keep_if_best(0.5)
    other.load_state_dict(copy.deepcopy(one.state_dict()))  # as if it had been on file
    for learner in (one, other):
        learner.update(peers(2))
    for name, each in one.first.items():
        assert torch.equal(each, other.first[name])
    assert torch.equal(one.critic["w_hh"], other.critic["w_hh"])
    assert other.best["score"] == 0.5
