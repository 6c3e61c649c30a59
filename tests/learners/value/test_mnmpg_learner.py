import copy
import dataclasses

import pytest
import torch
from torch import nn

from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.envs.base import EnvSpec
from cohort.learners.packed import PackedEpisodes
from tests.builders import make_learner, random_episodes


def theta(learner):
    return dict(learner.networks["hierarchy"].named_parameters())


def gradients_of_theta(learner):
    learner.loss(random_episodes([3, 8, 5])).value.backward()
    return {name: None if p.grad is None else p.grad.norm().item() for name, p in theta(learner).items()}


class TestWhatTheQLossTellsTheHierarchy:
    def test_sampling_with_gradient_reaches_mean_and_variance(self):
        norms = gradients_of_theta(make_learner("mnmpg", decoder_bn=False))
        assert all(norm > 0 for norm in norms.values())

    def test_without_grad_nothing_arrives(self):
        norms = gradients_of_theta(make_learner("mnmpg", hie_grad_qtot=False))
        assert all(norm is None for norm in norms.values())

    def test_batch_normalisation_silences_the_bias_of_the_mean(self):
        norms = gradients_of_theta(make_learner("mnmpg", decoder_bn=True))
        assert norms["mean.weight"] > 1e-4
        assert norms["mean.bias"] < 1e-6

    def test_variance_at_its_floor_gets_no_gradient(self):
        learner = make_learner("mnmpg", decoder_bn=False)
        nn.init.constant_(theta(learner)["log_variance.bias"], -20.0)
        norms = gradients_of_theta(learner)
        assert norms["log_variance.weight"] == norms["log_variance.bias"] == 0.0
        assert norms["mean.weight"] > 0

    def test_target_side_mean_or_sample(self):
        episodes = random_episodes([3, 8])
        losses = {}
        for target_z in ("mean", "sample"):
            learner = make_learner("mnmpg", target_z=target_z)
            learner.mixing.live_z = lambda batch: torch.zeros(11, 3)
            losses[target_z] = [learner.loss(episodes).value.item() for _ in range(3)]
        assert len(set(losses["mean"])) == 1
        assert len(set(losses["sample"])) == 3

    def test_joint_inputs_feed_the_hierarchy(self):
        learner = make_learner("mnmpg", hier_input="joint_inputs")
        assert theta(learner)["encoder.weight"].shape == (16, 3 * (5 + 4 + 3))
        episodes = random_episodes([4, 4])
        inputs = learner.networks["policy"].inputs(episodes)
        expected = learner.networks["hierarchy"](inputs[:, :-1].reshape(2, 4, -1)).mean
        torch.testing.assert_close(learner.mixing.hierarchy(episodes).mean, expected)


class TestMetaGradient:
    """A team of one utility w = 0, exercised once: w' = w + eta z (1 - w), return -(w - 1)^2, z ~ N(mu, v).

    Then E[(R' - R) d log p / d mu] = 2 eta - 2 eta^2 mu, here 0.194.
    """

    ETA, MU, VARIANCE, EPISODES = 0.1, 0.3, 0.25, 1_000_000
    EXACT = 2 * ETA - 2 * ETA**2 * MU

    def gradient(self, **flags):
        spec = EnvSpec(n_agents=1, n_actions=2, obs_dim=1, state_dim=1, episode_limit=1)
        learner = make_learner("mnmpg", spec, hierarchy_dim=1, pairing="index", **flags)
        with torch.no_grad():
            for parameter in theta(learner).values():
                parameter.zero_()
            theta(learner)["mean.bias"].fill_(self.MU)
            theta(learner)["log_variance.bias"].fill_(torch.tensor(self.VARIANCE).log())
        before = learner.meta.store_z(self.one_step(torch.full((self.EPISODES,), -1.0)))
        exercised = self.ETA * before.extras["z"].flatten()
        after = self.one_step(-((exercised - 1) ** 2))
        loss = learner.meta.meta_loss(learner.meta.improvement(before, after), learner.meta.log_prob(before))
        (gradient,) = torch.autograd.grad(loss, theta(learner)["mean.bias"])
        return -gradient.item() / self.EPISODES

    def one_step(self, reward):
        batch = len(reward)
        return Episodes(
            obs=torch.zeros(batch, 2, 1, 1),
            state=torch.zeros(batch, 2, 1),
            available_actions=torch.ones(batch, 2, 1, 2, dtype=torch.bool),
            actions=torch.zeros(batch, 1, 1, dtype=torch.int64),
            reward=reward[:, None],
            terminated=torch.ones(batch, 1, dtype=torch.bool),
            truncated=torch.zeros(batch, 1, dtype=torch.bool),
            length=torch.ones(batch, dtype=torch.int64),
        )

    def test_stored_z_gives_the_exact_gradient(self):
        assert self.gradient(meta_z="stored") == pytest.approx(self.EXACT, abs=0.0015)  # 5 standard errors

    def test_fresh_z_gives_none(self):
        assert self.gradient(meta_z="fresh") == pytest.approx(0.0, abs=0.0015)


class TestMetaUpdate:
    def batches(self, learner):
        return learner.meta.store_z(random_episodes([3, 8, 5, 4])), random_episodes([6, 2, 8, 3], seed=1)

    def test_only_the_hierarchy_changes(self):
        learner = make_learner("mnmpg")
        before = copy.deepcopy(learner.networks.state_dict())
        learner.meta.update(*self.batches(learner))
        changed = {
            n for n, value in learner.networks.state_dict().items() if not torch.equal(value, before[n])
        }
        assert changed == {f"hierarchy.{name}" for name in theta(learner)}

    @pytest.mark.parametrize("flag", [False, True])
    def test_exercise_changes_the_hierarchy_only_if_told(self, flag):
        learner = make_learner("mnmpg", exercise_updates_theta=flag)
        episodes, _ = self.batches(learner)
        before = copy.deepcopy(learner.networks.state_dict())
        learner.exercise(episodes, Clock())
        after = learner.networks.state_dict()
        changed = {n.split(".")[0] for n, value in after.items() if not torch.equal(value, before[n])}
        assert changed == {"policy", "mixer"} | ({"hierarchy"} if flag else set())

    def test_exercise_uses_the_stored_z(self):
        learner = make_learner("mnmpg", target_z="mean")
        episodes, _ = self.batches(learner)
        batch = PackedEpisodes.of(episodes, learner.policy)
        z = batch.packing.padded(learner.mixing.live_z(batch))
        assert torch.equal(z, episodes.extras["z"].masked_fill(~episodes.mask.unsqueeze(-1), 0.0))
        loss = learner.loss(episodes).value
        assert torch.equal(loss, learner.loss(episodes).value)
        other = episodes.with_extras(z=torch.randn(episodes.extras["z"].shape))
        assert abs(loss - learner.loss(other).value) > 1e-4

    def test_stored_z_is_what_its_noise_makes_of_the_hierarchy(self):
        learner = make_learner("mnmpg", exercise_updates_theta=True)
        episodes, _ = self.batches(learner)
        batch = PackedEpisodes.of(episodes, learner.policy)
        z = learner.mixing.live_z(batch)
        torch.testing.assert_close(z.detach(), batch.packing.of_steps(episodes.extras["z"]))
        assert z.requires_grad

    def test_zero_rate_changes_nothing(self):
        learner = make_learner("mnmpg", meta_lr=0)
        before = copy.deepcopy(learner.networks.state_dict())
        learner.meta.update(*self.batches(learner))
        assert all(torch.equal(value, before[n]) for n, value in learner.networks.state_dict().items())

    def test_plain_gradient_ascent_is_the_papers_formula(self):
        """theta + lambda (R1 - R0) sum_i mean_t grad log p(z_t | s_t), from torch's own density, however long it is."""
        rate = 0.25
        learner = make_learner("mnmpg", meta_optimiser="sgd", meta_lr=rate)
        before, after = self.batches(learner)
        before = dataclasses.replace(before, reward=before.reward - 20.0 * before.mask)
        improvement = float(after.returns.mean() - before.returns.mean())
        objective = 0.0
        for i, length in enumerate([3, 8, 5, 4]):
            latent = learner.networks["hierarchy"](before.state[i, :length])
            normal = torch.distributions.Normal(latent.mean, latent.variance.sqrt())
            objective += improvement * normal.log_prob(before.extras["z"][i, :length]).sum(-1).mean()
        gradient = torch.autograd.grad(objective, list(theta(learner).values()))
        expected = [p.detach() + rate * g for p, g in zip(theta(learner).values(), gradient, strict=True)]
        norm = learner.meta.update(before, after)["meta_grad_norm"]
        assert norm > learner.settings.grad_norm_clip, "otherwise nothing shows that there is no limit"
        for ours, theirs in zip(theta(learner).values(), expected, strict=True):
            torch.testing.assert_close(ours.detach(), theirs, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("meta_return", ["sum", "per_step"])
    @pytest.mark.parametrize("pairing", ["mean", "index"])
    @pytest.mark.parametrize("logp_agg", ["mean_t", "sum_t"])
    def test_loss_by_hand(self, meta_return, pairing, logp_agg):
        learner = make_learner("mnmpg", meta_return=meta_return, pairing=pairing, logp_agg=logp_agg)
        before, after = self.batches(learner)
        lengths = {"before": [3, 8, 5, 4], "after": [6, 2, 8, 3]}
        scores = {}
        for name, episodes in (("before", before), ("after", after)):
            scores[name] = [float(episodes.reward[i, :n].sum()) for i, n in enumerate(lengths[name])]
            if meta_return == "per_step":
                scores[name] = [s / n for s, n in zip(scores[name], lengths[name], strict=True)]
        deltas = [b - a for a, b in zip(scores["before"], scores["after"], strict=True)]
        if pairing == "mean":
            deltas = [sum(deltas) / 4] * 4
        latent = learner.mixing.hierarchy(before)
        expected = 0.0
        for i, length in enumerate(lengths["before"]):
            normal = torch.distributions.Normal(latent.mean[i, :length], latent.variance[i, :length].sqrt())
            log_prob = normal.log_prob(before.extras["z"][i, :length]).sum(-1)
            expected -= deltas[i] * (log_prob.mean() if logp_agg == "mean_t" else log_prob.sum())
        loss = learner.meta.meta_loss(learner.meta.improvement(before, after), learner.meta.log_prob(before))
        torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)

    def test_log_prob_has_its_closed_form_derivatives(self):
        learner = make_learner("mnmpg")
        episodes, _ = self.batches(learner)
        latent = learner.mixing.hierarchy(episodes)
        mean, variance = (each.detach().double().requires_grad_() for each in latent)
        learner.mixing.hierarchy = lambda episodes: type(latent)(mean, variance)
        stored = episodes.with_extras(z=episodes.extras["z"].double())
        (learner.meta.log_prob(stored) * stored.length).sum().backward()
        real = stored.mask.unsqueeze(-1)
        gap = stored.extras["z"] - mean
        expected = torch.where(real, gap / variance, 0.0)
        torch.testing.assert_close(mean.grad, expected.detach(), rtol=0, atol=1e-12)
        expected = torch.where(real, (gap.square() - variance) / (2 * variance.square()), 0.0)
        torch.testing.assert_close(variance.grad, expected.detach(), rtol=0, atol=1e-11)

    def test_diagnostics_change_nothing(self):
        learner = make_learner("mnmpg")
        before = copy.deepcopy(learner.state_dict())
        metrics = learner.diagnostics(random_episodes([3, 8]))
        assert metrics["credit_agent_0"] > 0
        assert metrics["q_tot_std_over_z"] > 0
        after = learner.state_dict()
        assert torch.equal(before["parts"]["generator"], after["parts"]["generator"])
        for name, value in before["networks"].items():
            assert torch.equal(value, after["networks"][name])
