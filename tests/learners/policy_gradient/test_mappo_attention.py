"""MAPPO with the attention critic: its values, agents' own rewards, acting and learning as one function."""

import dataclasses

import pytest
import torch

from cohort.components.clock import Clock
from cohort.configuration.plan import Sources, make_plan
from tests import harness
from tests.builders import SMALL, make_learner, random_episodes

OWN_REWARDS = dataclasses.replace(SMALL, common_reward=False)
SIZES = {"agent_hidden_dims": [8], "critic_hidden_dim": 8, "attention_heads": 2}


def learner(spec=OWN_REWARDS, **typed):
    made = make_learner("mappo_attention", spec, **(SIZES | typed))
    made.networks.double()
    return made


def test_its_values_are_table_6s():
    config = make_plan(Sources.read("mappo_attention", "matrix_games", {})).config
    expected = {
        "huber_delta": 10.0, "gae_lambda": 0.95, "gamma": 0.99, "lr": 1e-3, "critic_lr": 1e-3, "optim_eps": 1e-7,
        "grad_norm_clip": 10, "attention_heads": 4, "critic_hidden_dim": 128, "clip_range": 0.2,
        "value_clip_range": 0.2, "entropy_coef": 0.01, "epochs": 15, "minibatches": 1, "normalise_values": True,
        "agent_hidden_dims": [128, 128],
    }  # fmt: skip
    assert {name: config[name] for name in expected} == expected
    plain = make_plan(Sources.read("mappo_attention", "pettingzoo", {})).config
    assert plain["batch_size_run"] * 25 == pytest.approx(4096, rel=0.01)


def test_advantages_of_own_rewards_by_hand():
    """Two steps, two agents who are paid differently; the episode is cut, so that the last value counts."""
    spec = dataclasses.replace(OWN_REWARDS, n_agents=2)
    ours = learner(spec, normalise_values=False, normalise_advantages=False, gamma=0.5, gae_lambda=0.5)
    record = random_episodes([2, 2], spec)
    reward = torch.tensor([[[1.0, -2.0], [4.0, 0.0]], [[1.0, -2.0], [4.0, 0.0]]])
    value = torch.tensor([[[2.0, 1.0], [4.0, -2.0], [8.0, 6.0]]] * 2)
    ours.critic = lambda episodes: value
    prepared = ours.prepare(dataclasses.replace(record, reward=reward))
    # the first episode ends, the second is cut: 4 - 4 and 0 - -2; 4 + 4 - 4 and 0 + 3 - -2. Before them
    # 1 + 2 - 2 and -2 - 1 - 1, and a quarter of what follows
    expected = torch.tensor([[[1.0, -3.5], [0.0, 2.0]], [[2.0, -2.75], [4.0, 5.0]]])
    torch.testing.assert_close(prepared.extras["advantage"], expected)
    torch.testing.assert_close(prepared.extras["value_target"], expected + value[:, :-1])


def test_an_agents_reward_reaches_its_own_policy_alone():
    ours = learner(normalise_advantages=False, entropy_coef=0.0)
    record = random_episodes([3, 5], OWN_REWARDS)
    record = record.map(lambda each: each.double() if each.is_floating_point() else each)
    gradients = []
    for scale in (1.0, 3.0):
        reward = torch.stack([record.reward, scale * record.reward + scale, record.reward], dim=-1)
        one = learner(normalise_advantages=False, entropy_coef=0.0)
        one.load_state_dict(ours.state_dict())
        prepared = one.prepare(
            dataclasses.replace(record, reward=reward).with_extras(
                log_prob=torch.full((2, 5, 3), -1.4).double()
            )
        )
        loss = one.actor_loss(prepared).value
        gradients.append(torch.autograd.grad(loss, list(one.policy.parameters())))
    changed = torch.stack([(a != b).flatten(1).any(dim=1) for a, b in zip(*gradients, strict=True)]).any(
        dim=0
    )
    assert changed.tolist() == [False, True, False]


def test_policies_act_and_learn_as_the_same_function():
    """So that every ratio is 1 before the first update, which a normalisation over the batch would spoil."""
    trainer = harness.experiment("mappo_attention", "sc2_sim", "batch_size_run=4").trainer
    episodes = trainer.runner.run(t_env=0, explore=True)
    loss = trainer.learner.actor_loss(trainer.learner.prepare(episodes))
    assert float(loss.metrics["approx_kl"]) == pytest.approx(0, abs=1e-6)
    assert float(loss.metrics["clipped_share"]) == 0


def test_the_actors_see_their_observations_less_mean_and_scale():
    ours = learner()
    obs = torch.randn(6, 3, SMALL.obs_dim, dtype=torch.float64)
    torch.testing.assert_close(ours.policy(3 * obs + 7), ours.policy(obs), rtol=1e-4, atol=1e-5)
    normed = (obs - obs.mean(-1, keepdim=True)) / (obs.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
    first, last = ours.policy.network.networks.layers
    for agent in range(3):
        hidden = normed[:, agent] @ first.weight[agent] + first.bias[agent, 0]
        expected = torch.where(hidden > 0, hidden, 0.01 * hidden) @ last.weight[agent] + last.bias[agent, 0]
        torch.testing.assert_close(ours.policy(obs)[:, agent], expected)


def test_a_restored_learner_goes_on_the_same():
    ours, again = learner(), learner(seed=1)
    record = random_episodes([3, 5]).map(lambda each: each.double() if each.is_floating_point() else each)
    reward = record.reward.unsqueeze(-1) * torch.tensor([1.0, -2.0, 0.5]).double()
    record = dataclasses.replace(record, reward=reward).with_extras(log_prob=-torch.ones(2, 5, 3).double())
    for _ in range(3):
        ours.update(ours.prepare(record), Clock())
    again.load_state_dict(ours.state_dict())
    one, other = (each.update(each.prepare(record), Clock()) for each in (ours, again))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_each_plays_for_its_own_reward():
    """In a prisoner's dilemma of two steps both defect (-2 in all); a team would cooperate (+2)."""
    text = "env_args.episode_limit=2 batch_size_run=64 lr=0.01 critic_lr=0.01 seed=2"
    subject = harness.experiment("mappo_attention", "ipd", text)
    for _ in range(20):
        subject.trainer.iterate()
    assert subject.evaluate()["test_return_mean"] == -2
    assert subject.trainer.metrics()["entropy"] < 0.6


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("attention_heads=3", "must be a multiple of attention_heads"),
        ("critic=attention", "critic can be: attention_value, state_value"),
        ("critic_inputs=states", "critic_inputs"),
        ("epochs=0", "epochs"),
    ],
)
def test_what_it_cannot_read_is_refused(typed, message):
    with pytest.raises(Exception, match=message):
        harness.plan("mappo_attention", "matrix_games", typed)
