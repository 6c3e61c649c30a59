import dataclasses

import torch

from cohort.learners.value.action_effects import effects_loss
from cohort.learners.value.role_clusters import k_means
from cohort.modules.action_representations import ActionRepresentations
from tests.builders import SMALL, make_learner, random_episodes


def setup(**typed):
    learner = make_learner("rode", **typed)
    return learner.networks["action_effects"], learner.settings


def test_loss_by_hand():
    """Loops over episodes, steps and agents, one layer after another; padding may be anything."""
    network, settings = setup()
    lengths = [3, 5]
    episodes = random_episodes(lengths, padding=float("nan"))
    eye, distances, errors = torch.eye(4), [], []
    with torch.no_grad():
        for b, length in enumerate(lengths):
            for t in range(length):
                actions = episodes.actions[b, t]
                for i in range(3):
                    others = [eye[actions[j]] for j in range(3) if j != i]
                    context = network.context(torch.cat([episodes.obs[b, t, i], *others]))
                    joint = torch.cat([context, network.encoder(eye[actions[i]])])
                    difference = network.next_obs(joint) - episodes.obs[b, t + 1, i]
                    distances.append(difference.square().sum().sqrt())
                    errors.append((network.reward(joint)[0] - episodes.reward[b, t]).square())
    expected = torch.stack(distances).mean() + 10 * torch.stack(errors).mean()
    loss = effects_loss(network, episodes, settings)
    torch.testing.assert_close(loss.value, expected)
    torch.testing.assert_close(loss.metrics["obs_error"], torch.stack(distances).mean())
    loss.value.backward()
    assert all(bool(each.grad.isfinite().all()) for each in network.parameters())


def test_sizes_are_the_authors():
    network = ActionRepresentations(SMALL, latent_dim=20, hidden_dim=64, state_latent_dim=32)
    shapes = {name: tuple(each.shape) for name, each in network.named_parameters() if "weight" in name}
    assert shapes == {
        "encoder.0.weight": (64, 4),
        "encoder.2.weight": (20, 64),
        "context.0.weight": (64, 5 + 2 * 4),
        "context.2.weight": (32, 64),
        "next_obs.0.weight": (32, 52),
        "next_obs.2.weight": (5, 32),
        "reward.0.weight": (32, 52),
        "reward.2.weight": (1, 32),
    }


def test_unmasked_it_predicts_padding_too():
    network, settings = setup(action_effects_mask=False)
    episodes = random_episodes([2, 6])
    whole = dataclasses.replace(episodes, length=torch.tensor([6, 6]))
    loss = effects_loss(network, episodes, settings).value
    assert torch.equal(loss, effects_loss(network, whole, settings).value)
    masked = settings.model_copy(update={"action_effects_mask": True})
    assert abs(loss - effects_loss(network, episodes, masked).value) > 1e-3


def test_a_perfect_prediction_has_a_finite_gradient():
    network, settings = setup()
    torch.nn.init.zeros_(network.next_obs[2].weight)
    torch.nn.init.zeros_(network.next_obs[2].bias)
    episodes = random_episodes([4])
    effects_loss(network, dataclasses.replace(episodes, obs=episodes.obs * 0), settings).value.backward()
    assert all(bool(each.grad.isfinite().all()) for each in network.parameters())


def test_gradient_equals_finite_differences():
    network, settings = setup()
    network.double()
    episodes = random_episodes([3, 5])
    episodes = dataclasses.replace(episodes, obs=episodes.obs.double(), reward=episodes.reward.double())
    effects_loss(network, episodes, settings).value.backward()
    for parameter in (network.encoder[0].weight, network.context[2].bias, network.reward[2].weight):
        place = parameter.grad.abs().argmax()
        with torch.no_grad():
            flat = parameter.view(-1)
            values = []
            for change in (1e-6, -2e-6):
                flat[place] += change
                values.append(effects_loss(network, episodes, settings).value)
            flat[place] += 1e-6
        expected = (values[0] - values[1]) / 2e-6
        torch.testing.assert_close(parameter.grad.view(-1)[place], expected, rtol=1e-5, atol=1e-8)


def test_actions_that_do_the_same_come_to_lie_together():
    """Actions 0 and 2 move what is seen one way, 1 and 3 the other way."""
    torch.manual_seed(2)
    network, settings = setup()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.003)
    moves = torch.tensor([1.0, -1.0, 1.0, -1.0])
    for seed in range(150):
        episodes = random_episodes([8] * 8, seed=seed)
        obs = episodes.obs.clone()
        obs[:, 1:] = obs[:, :-1] + moves[episodes.actions].unsqueeze(-1)
        optimiser.zero_grad()
        effects_loss(network, dataclasses.replace(episodes, obs=obs), settings).value.backward()
        optimiser.step()
    assert k_means(network.latents(), 2).tolist() == [0, 1, 0, 1]
