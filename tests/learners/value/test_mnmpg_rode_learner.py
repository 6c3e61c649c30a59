import copy

import pytest
import torch

from cohort.components.clock import Clock
from cohort.components.functional import diagonal_gaussian_log_prob
from tests.builders import random_episodes
from tests.learners.value.roles import formed, in_roles

LENGTHS = [3, 8, 10, 7]


def batches(learner):
    before = learner.meta.store_z(in_roles(random_episodes(LENGTHS), 4))
    return before, in_roles(random_episodes([6, 2, 8, 3], seed=1), 4)


def changed(learner, before):
    after = learner.networks.state_dict()
    return {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}


HIERARCHIES = {"mnmpg_1_rode": {"hierarchy"}, "mnmpg_2_rode": {"hierarchy", "role_hierarchy"}}
ALGORITHMS = pytest.mark.parametrize("algorithm", list(HIERARCHIES))


@ALGORITHMS
def test_a_meta_step_moves_the_hierarchies_alone(algorithm):
    learner = formed(algorithm)
    before, after = batches(learner)
    saved = copy.deepcopy(learner.networks.state_dict())
    metrics = learner.meta.update(before, after)
    assert changed(learner, saved) == HIERARCHIES[algorithm]
    assert metrics["meta_grad_norm"] > 0


@ALGORITHMS
@pytest.mark.parametrize("flag", [False, True])
def test_an_exercise_move_changes_the_hierarchies_only_if_told_and_forms_no_roles(algorithm, flag):
    learner = formed(algorithm, exercise_updates_theta=flag)
    before, _ = batches(learner)
    saved = copy.deepcopy(learner.networks.state_dict())
    learner.formed.fill_(False)
    learner.exercise(before, Clock(steps=10**6))
    assert not learner.formed
    assert changed(learner, saved) == {
        *("policy", "mixer", "role_mixer", "action_effects"),
        *(HIERARCHIES[algorithm] if flag else ()),
    }


@pytest.mark.parametrize("stored", ["z", "role_z"])
def test_the_exercise_mixes_each_level_by_its_own_stored_z(stored):
    learner = formed("mnmpg_2_rode", target_z="mean", stored_roles=True)
    before, _ = batches(learner)
    loss = learner.loss(before).value
    assert torch.equal(loss, learner.loss(before).value)
    other = torch.randn(before.extras[stored].shape)
    assert abs(loss - learner.loss(before.with_extras(**{stored: other})).value) > 1e-5


def test_the_role_levels_z_counts_where_a_chunk_begins():
    """In the loss, and so in log p: 1, 2, 2 and 2 choices of the episodes of 3, 8, 10 and 7 steps."""
    learner = formed("mnmpg_2_rode", target_z="mean", stored_roles=True, logp_agg="sum_t")
    before, _ = batches(learner)
    between = torch.arange(10) % 5 != 0
    other = before.extras["role_z"].clone()
    other[:, between] = 7.0
    changed_between = before.with_extras(role_z=other)
    assert torch.equal(learner.loss(before).value, learner.loss(changed_between).value)
    assert torch.equal(learner.meta.log_prob(before), learner.meta.log_prob(changed_between))
    expected = []
    for b, length in enumerate(LENGTHS):
        total = torch.tensor(0.0)
        for mixing, name, interval in ((learner.mixing, "z", 1), (learner.role_mixing, "role_z", 5)):
            latent = mixing.hierarchy(before)
            for t in range(0, length, interval):
                z = before.extras[name][b, t]
                total = total + diagonal_gaussian_log_prob(z, latent.mean[b, t], latent.variance[b, t])
        expected.append(total)
    torch.testing.assert_close(learner.meta.log_prob(before), torch.stack(expected), rtol=1e-5, atol=1e-5)


def test_one_hierarchy_is_taught_as_mnmpgs():
    learner = formed("mnmpg_1_rode")
    before, _ = batches(learner)
    assert set(before.extras) == {"roles", "z", "z_noise"}
    latent = learner.mixing.hierarchy(before)
    per_step = diagonal_gaussian_log_prob(before.extras["z"], *latent)
    expected = torch.where(before.mask, per_step, 0.0).sum(dim=1) / before.length
    torch.testing.assert_close(learner.meta.log_prob(before), expected)


def test_levels_draw_from_streams_of_their_own():
    learner = formed("mnmpg_2_rode")
    before, _ = batches(learner)
    assert not torch.equal(before.extras["z_noise"], before.extras["role_z_noise"])
    names = set(learner.networks)
    assert {"hierarchy", "role_hierarchy", "mixer", "role_mixer"} <= names


@ALGORITHMS
def test_logging_changes_nothing(algorithm):
    learner = formed(algorithm)
    episodes = in_roles(random_episodes(LENGTHS), 4)
    before = str(learner.state_dict())
    metrics = learner.diagnostics(episodes)
    assert str(learner.state_dict()) == before
    assert {"n_roles", "role_0_share", "q_tot_std_over_z", "credit_agent_2"} <= set(metrics)
    assert ("role_q_tot_std_over_z" in metrics) == (algorithm == "mnmpg_2_rode")


@pytest.mark.parametrize(
    ("algorithm", "typed"),
    [("mnmpg_1_rode", {"role_mixer": "mnmpg"}), ("mnmpg_2_rode", {"role_mixer": "qmix"})],
)
def test_a_role_mixer_that_does_not_go_with_meta_role_is_refused(algorithm, typed):
    with pytest.raises(ValueError, match="gives its mixer"):
        formed(algorithm, **typed)
