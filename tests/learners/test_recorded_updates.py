"""Updates whose gradients are recorded beside updates that run as they are written."""

import pytest
import torch

from cohort.components.clock import Clock
from cohort.components.recorded import Recorded
from cohort.envs.base import EnvSpec
from cohort.learners import base
from tests.builders import make_learner, random_transitions

SPEC = EnvSpec(n_agents=2, n_actions=0, obs_dim=3, state_dim=4, episode_limit=5, action_dim=2)
SMALL = {"agent_hidden_dims": [8], "critic_hidden_dims": [8]}
MIXED = SMALL | {"mixing_embed_dim": 4, "hypernet_embed": 4}
OF_STEPS = [
    ("ader", "mamujoco", MIXED),
    ("ader", "mamujoco", MIXED | {"critics": "soft", "twin": False}),
    ("ser_marl", "mamujoco", MIXED | {"alpha_include_dead": True}),
    ("facmac_continuous", "mamujoco", MIXED),
    ("maddpg_fixed_lr", "going_together", SMALL),
    ("adama", "going_together", SMALL),
    ("adama", "going_together", SMALL | {"gq_actions": "replay", "step_order": "sequential"}),
    ("adama_2nd", "going_together", SMALL),
]


@pytest.mark.parametrize(
    ("algorithm", "env", "typed"), OF_STEPS, ids=lambda each: each if isinstance(each, str) else len(each)
)
def test_recorded_updates_are_the_same_bit_for_bit(algorithm, env, typed, monkeypatch):
    """Three updates from the third on are recorded ones; weights that are loaded in between are learned from."""
    learners = {}
    for after in (2, 100):
        monkeypatch.setattr(base, "RECORDED_AFTER", after)
        learners[after] = make_learner(algorithm, SPEC, env=env, **typed)
    recorded, plain = learners.values()
    assert any(isinstance(each, Recorded) for each in vars(recorded).values())
    begin = {name: each.clone() for name, each in plain.networks.state_dict().items()}
    for update in range(5):
        batch = random_transitions(6, SPEC, seed=update)
        if update == 4:
            for each in (recorded, plain):
                each.networks.load_state_dict(begin)
        found, expected = (each.update(batch, Clock(updates=update)) for each in (recorded, plain))
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert torch.equal(torch.as_tensor(found[name]), torch.as_tensor(value)), name
        states = (
            each.networks.state_dict() | each.targets.networks.state_dict() for each in (recorded, plain)
        )
        for one, other in zip(*(state.values() for state in states), strict=True):
            assert torch.equal(one, other)
        assert not any(value.requires_grad for value in found.values())


def test_what_is_recorded_is_learned_from_at_its_own_shape_alone(monkeypatch):
    monkeypatch.setattr(base, "RECORDED_AFTER", 1)
    ours = make_learner("facmac_continuous", SPEC, env="mamujoco", **MIXED)
    for size in (6, 6, 4, 6):
        metrics = ours.update(random_transitions(size, SPEC, seed=size), Clock())
        assert all(torch.isfinite(each).all() for each in metrics.values())
