import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks.per_step_qmix import PerStepQMIX
from cohort.components.clock import Clock
from cohort.components.functional import greedy_actions
from cohort.learners.packed import PackedEpisodes
from cohort.learners.temporal_difference import temporal_difference
from tests.builders import SMALL, make_learner, random_episodes


def copy_weights(learner, reference):
    """Put our live and target weights into the per-step reference."""
    for ours, agent, mixer in (
        (learner.networks, reference.agent, reference.mixer),
        (learner.targets, reference.target_agent, reference.target_mixer),
    ):
        network = ours["policy"].network
        agent.fc1.load_state_dict(network.encoder.state_dict())
        agent.fc2.load_state_dict(network.head.state_dict())
        agent.rnn.load_state_dict(
            {name.removesuffix("_l0"): value for name, value in network.rnn.state_dict().items()}
        )
        theirs = {"w1": "hyper_w1", "w2": "hyper_w2", "b1": "hyper_b1", "v": "value"}
        for mine, name in theirs.items():
            getattr(mixer, mine).load_state_dict(getattr(ours["mixer"], name).state_dict())


def padded_utilities(learner, episodes):
    """Of the taken and of the next actions, [B, T, N] both."""
    batch = PackedEpisodes.of(episodes, learner.policy)
    return [batch.packing.padded(each) for each in learner.utilities(batch)]


def qmix_and_reference():
    learner = make_learner("qmix")
    for parameter in learner.targets.networks.parameters():  # targets that differ from the live networks
        nn.init.normal_(parameter, std=0.3)
    reference = PerStepQMIX(3, 4, 5, 6, torch.device("cpu"))
    copy_weights(learner, reference)
    return learner, reference


def test_loss_and_gradient_equal_the_per_step_reference():
    learner, reference = qmix_and_reference()
    episodes = random_episodes([3, 8, 1, 5])
    loss = learner.loss(episodes).value
    expected = reference.loss(episodes)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    loss.backward()
    expected.backward()
    pairs = [
        (learner.networks["policy"].network.encoder.weight, reference.agent.fc1.weight),
        (learner.networks["policy"].network.rnn.weight_hh_l0, reference.agent.rnn.weight_hh),
        (learner.networks["policy"].network.rnn.bias_ih_l0, reference.agent.rnn.bias_ih),
        (learner.networks["mixer"].hyper_w1[0].weight, reference.mixer.w1[0].weight),
        (learner.networks["mixer"].value[2].bias, reference.mixer.v[2].bias),
    ]
    for ours, theirs in pairs:
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)


def test_three_updates_equal_the_reference():
    learner, reference = qmix_and_reference()
    for seed in range(3):
        episodes = random_episodes([3, 8, 1, 5], seed=seed)
        ours = learner.update(episodes, Clock(episodes=0))["loss"]
        torch.testing.assert_close(ours, reference.update(episodes), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("double", [True, False])
def test_target_by_hand(double):
    """Loops over episodes, steps and agents: the live networks choose if double, the target networks value."""
    learner = make_learner("vdn", double_q=double)
    for parameter in learner.targets.networks.parameters():
        nn.init.normal_(parameter, std=0.5)
    episodes = random_episodes([3, 5])
    with torch.no_grad():
        inputs = learner.networks["policy"].inputs(episodes)
        live = learner.networks["policy"].unroll(inputs, episodes)
        target = learner.targets["policy"].unroll(inputs, episodes)
        chooser = live if double else target
        errors = []
        for b, length in enumerate([3, 5]):
            for t in range(length):
                value = sum(live[b, t, i, episodes.actions[b, t, i]] for i in range(3))
                best = greedy_actions(chooser[b, t + 1], episodes.available_actions[b, t + 1])
                following = sum(target[b, t + 1, i, best[i]] for i in range(3))
                ends = episodes.terminated[b, t]  # of episode 0 alone: episode 1 is cut off and bootstraps
                errors.append(value - (episodes.reward[b, t] + (0.0 if ends else 0.99 * following)))
        expected = torch.stack(errors).square().mean()
    assert episodes.terminated.any(dim=1).tolist() == [True, False]
    torch.testing.assert_close(learner.loss(episodes).value, expected)


@pytest.mark.parametrize("algorithm", ["iql", "vdn", "qmix", "ow_qmix", "cw_qmix", "qmix_large", "mnmpg"])
def test_padding_changes_nothing(algorithm):
    losses, gradients = [], []
    for padding in (0.0, 30.0):
        learner = make_learner(algorithm)
        loss = learner.loss(random_episodes([3, 5], padding=padding)).value
        loss.backward()
        losses.append(loss)
        gradients.append(
            torch.cat([p.grad.flatten() for p in learner.networks.parameters() if p.grad is not None])
        )
    assert torch.equal(*losses)
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-7)
    with_nan = make_learner(algorithm).loss(random_episodes([3, 5], padding=float("nan"))).value
    assert torch.equal(with_nan, losses[0])


def test_iql_is_one_q_learner_per_agent():
    learner = make_learner("iql")
    episodes = random_episodes([4, 4])
    chosen, next_chosen = padded_utilities(learner, episodes)
    errors = []
    for agent in range(3):
        following = next_chosen[..., agent] * ~episodes.terminated
        errors.append((chosen[..., agent] - episodes.reward - 0.99 * following).square().mean())
    torch.testing.assert_close(learner.loss(episodes).value, torch.stack(errors).mean())


def test_agents_with_rewards_of_their_own_learn_each_from_its_own():
    learner = make_learner("iql", replace(SMALL, common_reward=False))
    episodes = random_episodes([4, 4])
    own = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(5))
    chosen, next_chosen = padded_utilities(learner, episodes)
    errors = [
        (chosen[..., i] - own[..., i] - 0.99 * (next_chosen[..., i] * ~episodes.terminated).detach())
        .square()
        .mean()
        for i in range(3)
    ]
    loss = learner.loss(replace(episodes, reward=own)).value
    torch.testing.assert_close(loss, torch.stack(errors).mean())


@pytest.mark.parametrize("algorithm", ["vdn", "qmix", "cw_qmix", "mnmpg"])
def test_a_mixer_needs_a_common_reward(algorithm):
    with pytest.raises(ValueError, match="mixer=independent"):
        make_learner(algorithm, replace(SMALL, common_reward=False))


def test_continuous_actions_are_refused():
    with pytest.raises(ValueError, match="continuous"):
        make_learner("iql", replace(SMALL, n_actions=0, action_dim=2))


def test_targets_follow_every_so_many_episodes():
    learner = make_learner("qmix", target_update_interval=10)
    before = copy.deepcopy(learner.targets.networks.state_dict())
    learner.update(random_episodes([4, 6]), Clock(episodes=9))
    assert all(
        torch.equal(before[name], value) for name, value in learner.targets.networks.state_dict().items()
    )
    learner.update(random_episodes([4, 6]), Clock(episodes=10))
    live = learner.networks.state_dict()
    assert all(
        torch.equal(live[name], value) for name, value in learner.targets.networks.state_dict().items()
    )
    learner.update(random_episodes([4, 6]), Clock(episodes=19))
    live = learner.networks.state_dict()
    assert any(
        not torch.equal(live[name], value) for name, value in learner.targets.networks.state_dict().items()
    )


def test_gradient_is_clipped_as_a_whole():
    learner = make_learner("qmix", grad_norm_clip=0.01)
    episodes = random_episodes([4, 6])
    metrics = learner.update(episodes, Clock(episodes=0))
    norm = torch.cat([p.grad.flatten() for p in learner.networks.parameters()]).norm()
    assert metrics["grad_norm"] > 0.01
    torch.testing.assert_close(norm, torch.tensor(0.01), rtol=1e-3, atol=0)


@pytest.mark.parametrize("algorithm", ["iql", "vdn", "qmix", "ow_qmix", "cw_qmix", "qmix_large", "mnmpg"])
def test_same_seed_same_losses_and_state_continues(algorithm):
    def losses(learner, rounds):
        return [
            learner.update(random_episodes([4, 8], SMALL, seed=i), Clock(episodes=0))["loss"] for i in rounds
        ]

    first, second = make_learner(algorithm), make_learner(algorithm)
    expected = losses(first, range(5))
    assert expected[:3] == losses(second, range(3))
    restored = make_learner(algorithm, seed=7)
    restored.load_state_dict(second.state_dict())
    assert expected[3:] == losses(restored, range(3, 5))


@pytest.mark.parametrize("td_lambda", [0.0, 0.6, 1.0])
def test_td_lambda_is_pymarls(td_lambda):
    """PyMARL's recursion for COMA's critic, backwards from the end: what is not terminated is bootstrapped there."""
    gamma = 0.99
    learner = make_learner("qmix", td_lambda=td_lambda)
    for parameter in learner.targets.networks.parameters():
        nn.init.normal_(parameter, std=0.3)
    episodes = random_episodes([3, 8, 1, 8])  # 0 and 2 terminate, the others are cut off at the limit
    batch = PackedEpisodes.of(episodes, learner.policy)
    with torch.no_grad():
        chosen, following = learner.utilities(batch)
        joint = batch.packing.padded(learner.mixing.joint(learner.networks, chosen, batch))[..., 0]
        values = batch.packing.padded(learner.mixing.next_joint(learner.targets, following, batch))[..., 0]
    ended, mask = episodes.terminated.float(), episodes.mask.float()
    returns = values[:, -1] * (1 - ended.sum(dim=1))
    errors = []
    for t in reversed(range(8)):
        ahead = (1 - td_lambda) * gamma * values[:, t] * (1 - ended[:, t])
        returns = td_lambda * gamma * returns + mask[:, t] * (episodes.reward[:, t] + ahead)
        errors.append(mask[:, t] * (joint[:, t] - returns) ** 2)
    expected = torch.stack(errors).sum() / mask.sum()
    torch.testing.assert_close(learner.loss(episodes).value.detach(), expected)


@pytest.mark.parametrize("algorithm", ["iql", "vdn"])
def test_values_are_logged_per_agent_as_in_pymarl(algorithm):
    """There the sum over real steps (and agents, where each has a value) is over their number and the agents'."""
    learner = make_learner(algorithm)
    episodes = random_episodes([3, 5])
    chosen, _ = padded_utilities(learner, episodes)
    values = chosen if algorithm == "iql" else chosen.sum(dim=-1, keepdim=True)
    mask = episodes.mask.unsqueeze(-1).expand_as(values)
    metrics = learner.loss(episodes).metrics
    torch.testing.assert_close(metrics["q_taken_mean"], (values * mask).sum().detach() / (mask.sum() * 3))
    single = temporal_difference(values, values + 6, episodes.mask.unsqueeze(-1)).metrics
    torch.testing.assert_close(single["q_taken_mean"], 3 * metrics["q_taken_mean"])
    divided = temporal_difference(values, values + 6, episodes.mask.unsqueeze(-1), logged_over=3).metrics
    torch.testing.assert_close(3 * divided["target_mean"], 3 * divided["q_taken_mean"] + 6)
    torch.testing.assert_close(divided["td_error_abs"], torch.tensor(6.0))


def test_adam_and_soft_targets_are_settings():
    learner = make_learner(
        "vdn", optimizer="adam", optim_eps=1e-8, target_mode="soft", target_update_rate=0.25
    )
    before = [parameter.clone() for parameter in learner.networks["policy"].parameters()]
    targets = [parameter.clone() for parameter in learner.targets["policy"].parameters()]
    learner.update(random_episodes([3, 5]), Clock(episodes=0))
    (optimiser,) = learner.optimisers.values()
    assert isinstance(optimiser, torch.optim.Adam)
    steps = []
    for old, live, was, now in zip(
        before, learner.networks["policy"].parameters(), targets, learner.targets["policy"].parameters(), strict=True
    ):  # fmt: skip
        torch.testing.assert_close(now, was + 0.25 * (live - was))
        steps.append((live - old).abs().flatten())
    moved = torch.cat(steps)  # Adam's first step is the rate itself, but for the smallest gradients
    assert float(moved.median()) == pytest.approx(learner.settings.lr, rel=1e-3)
    assert float(moved.max()) == pytest.approx(learner.settings.lr, rel=1e-3)
