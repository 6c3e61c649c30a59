import copy

import pytest
import torch
from torch.nn import functional as F

from cohort.components.clock import Clock
from tests import harness
from tests.builders import SPEC_3M, make_learner, random_episodes
from tests.learners.value.roles import SIZES, formed, in_roles

# ends after 3 steps; is cut where a chunk ends, ends where one ends, is cut within one, ends, is cut early
LENGTHS = [3, 5, 10, 7, 12, 1]


class Moments:
    """What one side's networks say of one episode, moment by moment."""

    def __init__(self, policy, episodes, b, length):
        hidden, role_hidden, inputs = None, None, policy.inputs(episodes)
        self.queries, self.role_values = [], []
        for t in range(length + 1):
            outputs, hidden = policy.network.step(inputs[b : b + 1, t], hidden)
            role_outputs, role_hidden = policy.role_network.step(inputs[b : b + 1, t], role_hidden)
            self.queries.append(outputs[0].view(3, -1, SIZES["action_latent_dim"]))
            key = policy.role_selector(F.relu(role_outputs[0]))
            self.role_values.append(
                torch.stack([key @ latent for latent in policy.roles.role_latents[:4]], 1)
            )
        self.latents = policy.roles.action_latents

    def action_values(self, t, roles):
        """[N, A] of agents in these roles."""
        return torch.stack([self.latents @ self.queries[t][i, roles[i]] for i in range(3)])


def mixed(mixer, values, state):
    return mixer(torch.stack(values).view(1, 1, -1), state.view(1, 1, -1)).squeeze()


def best(values, available):
    return [
        int(row.masked_fill(~each, -torch.inf).argmax()) for row, each in zip(values, available, strict=True)
    ]


def slow_losses(learner, episodes, lengths, stored):
    """Both levels with loops over episodes, steps and agents; roles are stored, or chosen anew without chance."""
    gamma, actions, roles_errors = 0.99, [], []
    everything = torch.ones(3, 4, dtype=torch.bool)
    for b, length in enumerate(lengths):
        live = Moments(learner.policy, episodes, b, length)
        target = Moments(learner.targets["policy"], episodes, b, length)
        played = episodes.extras["roles"][b].long()

        def roles_at(t, side, live=live, played=played, length=length):
            begun = t - t % 5
            if stored:
                known = begun < length
                return played[begun].tolist() if known else best(live.role_values[begun], everything)
            return best(side.role_values[begun], everything)

        for t in range(length):
            state, following = episodes.state[b, t], episodes.state[b, t + 1]
            values = live.action_values(t, roles_at(t, live))
            value = [values[i, episodes.actions[b, t, i]] for i in range(3)]
            with torch.no_grad():
                chooser = live.action_values(t + 1, roles_at(t + 1, live))
                chosen = best(chooser, episodes.available_actions[b, t + 1])
                later = target.action_values(t + 1, roles_at(t + 1, target))
                later = [later[i, chosen[i]] for i in range(3)]
                y = episodes.reward[b, t]
                if not episodes.terminated[b, t]:
                    y = y + gamma * mixed(learner.targets["mixer"], later, following)
            actions.append((mixed(learner.networks["mixer"], value, state) - y) ** 2)
        for begun in range(0, length, 5):
            end = min(begun + 5, length)
            value = [live.role_values[begun][i, played[begun, i]] for i in range(3)]
            with torch.no_grad():
                chosen = best(live.role_values[end], everything)
                later = [target.role_values[end][i, chosen[i]] for i in range(3)]
                y = episodes.reward[b, begun:end].sum()
                if not episodes.terminated[b, end - 1]:
                    y = y + gamma * mixed(learner.targets["role_mixer"], later, episodes.state[b, end])
            joint = mixed(learner.networks["role_mixer"], value, episodes.state[b, begun])
            roles_errors.append((joint - y) ** 2)
    return torch.stack(actions).mean(), torch.stack(roles_errors).mean()


@pytest.mark.parametrize("stored", [True, False])
def test_both_losses_and_their_gradient_equal_a_slow_reference(stored):
    learner = formed(stored_roles=stored, reselection_epsilon=0.0)
    episodes = in_roles(random_episodes(LENGTHS), 4)
    assert episodes.terminated.any(dim=1).tolist() == [True, False] * 3
    loss = learner.loss(episodes)
    actions, roles = slow_losses(learner, episodes, LENGTHS, stored)
    torch.testing.assert_close(loss.value, actions + roles, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(loss.metrics["role_loss"], roles, rtol=1e-5, atol=1e-6)
    moved = [
        p for name, each in learner.networks.items() if name != "action_effects" for p in each.parameters()
    ]
    gradients = torch.autograd.grad(loss.value, moved)
    expected = torch.autograd.grad(actions + roles, moved)
    for ours, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert all(each.norm() > 0 for each in gradients)


def test_gradient_equals_finite_differences():
    """Roles and the next actions are chosen anew for each value, by the live networks: tiny steps change neither."""
    learner = formed(stored_roles=True)
    for networks in (learner.networks, learner.targets.networks):
        networks.double()
    episodes = in_roles(random_episodes(LENGTHS), 4).map(lambda x: x.double() if x.is_floating_point() else x)
    chosen = [
        learner.policy.role_selector.weight,
        learner.policy.role_network.rnn.weight_hh_l0,
        learner.policy.network.head.bias,
        learner.networks["role_mixer"].hyper_b1.weight,
    ]
    gradients = torch.autograd.grad(learner.loss(episodes).value, chosen)
    for parameter, gradient in zip(chosen, gradients, strict=True):
        place, values = gradient.abs().argmax(), []
        with torch.no_grad():
            flat = parameter.view(-1)
            for change in (1e-6, -2e-6):
                flat[place] += change
                values.append(learner.loss(episodes).value)
            flat[place] += 1e-6
        expected = (values[0] - values[1]) / 2e-6
        torch.testing.assert_close(gradient.view(-1)[place], expected, rtol=1e-5, atol=1e-8)


def test_roles_that_are_chosen_anew_are_random_by_reselection_epsilon_and_exist():
    learner = formed(reselection_epsilon=1.0)
    values = torch.randn(4000, 3, learner.policy.roles.most)
    anew = learner.reselected(values, learner.generator)
    shares = torch.bincount(anew.flatten(), minlength=learner.policy.roles.most) / anew.numel()
    torch.testing.assert_close(shares[:4], torch.full((4,), 0.25), atol=0.02, rtol=0)
    fresh = make_learner("rode", **{**SIZES, "reselection_epsilon": 1.0})
    assert fresh.reselected(values, fresh.generator).unique().tolist() == [0, 1, 2]


def test_padding_changes_nothing():
    losses, gradients = [], []
    for padding in (0.0, 30.0, float("nan")):
        learner = formed()
        loss = learner.loss(in_roles(random_episodes(LENGTHS, padding=padding), 4)).value
        loss.backward()
        losses.append(loss)
        gradients.append(torch.cat([p.grad.flatten() for p in learner.policy.parameters()]))
    assert torch.equal(losses[0], losses[1])
    assert torch.equal(losses[0], losses[2])
    for other in gradients[1:]:
        torch.testing.assert_close(gradients[0], other, rtol=1e-5, atol=1e-7)


def states(learner):
    return {name: value.clone() for name, value in learner.networks.state_dict().items()}


def changed(before, after):
    return {name for name, value in after.items() if not torch.equal(value, before[name])}


EVERY = ["policy.network", "policy.role_network", "policy.role_selector", "mixer", "role_mixer"]


def test_before_roles_are_formed_the_effects_loss_moves_the_effects_alone():
    """And the TD loss all but them; what is fixed about the roles has no gradient."""
    learner = make_learner("rode", **SIZES)
    episodes = in_roles(random_episodes(LENGTHS), 3)
    before = states(learner)
    metrics = learner.update(episodes, Clock(steps=5000))
    moved = changed(before, states(learner))
    assert {name for name in EVERY if any(each.startswith(name) for each in moved)} == set(EVERY)
    assert any(name.startswith("action_effects.encoder") for name in moved)
    assert not any("roles." in name for name in moved)
    assert "action_effects_loss" in metrics
    td = {id(each) for each in learner.parameters_of("td")}
    effects = {id(each) for each in learner.parameters_of("action_effects")}
    assert effects == {id(each) for each in learner.networks["action_effects"].parameters()}
    assert not td & effects


def test_roles_are_formed_once_and_frozen_with_the_targets_copied():
    learner = make_learner("rode", **SIZES)
    episodes = in_roles(random_episodes(LENGTHS), 3)
    learner.update(episodes, Clock(steps=5000, episodes=3))
    assert not learner.formed
    learner.update(episodes, Clock(steps=5001, episodes=7))
    assert learner.formed
    roles, latents = learner.policy.roles, learner.networks["action_effects"].latents()
    assert torch.equal(roles.action_latents, latents)
    torch.testing.assert_close(
        roles.role_latents[0], latents[roles.allowed[0]].mean(dim=0), rtol=1e-5, atol=1e-6
    )
    for name, target in learner.targets.networks.items():
        assert not changed(learner.networks[name].state_dict(), target.state_dict())
    assert set(learner.targets.last_copy.values()) == {7}
    before = states(learner)
    for steps in (5002, 90000):
        metrics = learner.update(episodes, Clock(steps=steps, episodes=8))
        assert "action_effects_loss" not in metrics
    moved = changed(before, states(learner))
    assert not any(name.startswith("action_effects") or "roles." in name for name in moved)
    assert any(name.startswith("policy.network") for name in moved)


def test_an_averaged_team_has_the_roles_as_soon_as_they_are_formed():
    learner = make_learner("rode", **SIZES, policy_average=0.99)
    learner.update(in_roles(random_episodes(LENGTHS), 3), Clock(steps=6000))
    for average, live in zip(
        learner.tested(learner.policy).roles.buffers(), learner.policy.roles.buffers(), strict=True
    ):
        assert torch.equal(average, live)


@pytest.mark.parametrize("faithful", [True, False])
def test_later_roles_learn_unless_the_authors_optimiser_is_asked_for(faithful):
    learner = formed(rode_faithful_optimizer=faithful, stored_roles=True)
    episodes = in_roles(random_episodes([8] * 6), 4)
    before = learner.policy.network.head.weight.detach().clone()
    learner.update(episodes, Clock(steps=90000))
    moved = (learner.policy.network.head.weight != before).view(4, -1).any(dim=1)
    assert moved.tolist() == [True, True, True, not faithful]


def test_logging_draws_nothing():
    learner = formed()
    episodes = in_roles(random_episodes(LENGTHS), 4)
    state = learner.generator.get_state()
    shares = learner.diagnostics(episodes)
    assert torch.equal(state, learner.generator.get_state())
    assert shares["n_roles"] == 4
    total = sum(value for name, value in shares.items() if name.endswith("_share"))
    torch.testing.assert_close(total, torch.tensor(1.0))
    played = episodes.extras["roles"][episodes.mask]
    torch.testing.assert_close(shares["role_2_share"], (played == 2).float().mean())


@pytest.mark.parametrize("algorithm", ["rode", "mnmpg_1_rode", "mnmpg_2_rode"])
@pytest.mark.parametrize("at", [4000, 5001])
def test_same_seed_same_losses_and_state_continues(algorithm, at):
    """Saved before and after roles are formed, into a learner that has three."""

    def losses(learner, rounds):
        batches = [in_roles(random_episodes([4, 8], seed=i), 3) for i in rounds]
        clocks = [Clock(steps=4000 + 500 * i) for i in rounds]
        return [learner.update(*each)["loss"] for each in zip(batches, clocks, strict=True)]

    rounds = range(3) if at > 5000 else range(2)
    rest = range(rounds.stop, 5)
    first, second = make_learner(algorithm, **SIZES), make_learner(algorithm, **SIZES)
    expected = losses(first, range(5))
    assert expected[: rounds.stop] == losses(second, rounds)
    restored = make_learner(algorithm, seed=7, **SIZES)
    restored.load_state_dict(copy.deepcopy(second.state_dict()))
    assert expected[rounds.stop :] == losses(restored, rest)
    assert restored.formed


def test_a_team_with_another_number_of_places_for_roles_is_refused():
    with pytest.raises((ValueError, RuntimeError), match="size mismatch"):
        make_learner("rode", SPEC_3M, n_role_clusters=6).load_state_dict(
            make_learner("rode", SPEC_3M, n_role_clusters=5).state_dict()
        )


def test_it_finds_the_better_return_of_the_two_step_game():
    """By playing at random, and through the forming of roles on the way."""
    text = (
        "batch_size_run=32 batch_size=32 updates_per_episode=0.125 rnn_hidden_dim=32 buffer_size=500 lr=0.002 "
        "target_update_interval=160 epsilon_finish=1.0"
    )
    subject = harness.experiment("rode", "matrix_games", f"{text} role_action_spaces_update_start=2000")
    while subject.trainer.t_env < 7000:
        subject.trainer.iterate()
    assert subject.learner.formed
    assert subject.trainer.evaluate()["test_return_mean"] == 8.0
