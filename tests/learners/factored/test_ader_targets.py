"""ADER's two Bellman operators, through the learner's own targets: fixed points, contraction, lambda-returns."""

import dataclasses
import itertools

import pytest
import torch

from cohort.components.episodes import Episodes
from cohort.envs.base import EnvSpec
from cohort.learners.factored.ader_learner import Moment
from cohort.learners.packed import PackedEpisodes
from tests.learners.factored.small_ader import episodes, learner, moments


class TinyMDP:
    """3 states, 2 agents, 2 actions, all random; every (s, s') stands as an episode of one step."""

    gamma = 0.9

    def __init__(self, seed: int, **typed) -> None:
        draw = torch.Generator().manual_seed(seed)
        chances = torch.rand(3, 2, 2, 3, generator=draw).softmax(-1)  # s, a_1, a_2, s'
        reward = torch.randn(3, 2, 2, generator=draw)
        self.pi = (2 * torch.randn(3, 2, 2, generator=draw)).softmax(-1)  # s, agent, action
        joint = self.pi[:, 0, :, None] * self.pi[:, 1, None, :]
        self.p = (joint[..., None] * chances).sum((1, 2))  # [3, 3]
        self.r = (joint * reward).sum((1, 2))
        self.entropy = -(self.pi * self.pi.log()).sum(-1)  # [3, 2]
        spec = EnvSpec(n_agents=2, n_actions=2, obs_dim=3, state_dim=3, episode_limit=1)
        self.ours = learner(spec=spec, gamma=self.gamma, td_lambda=0.0, **typed)
        self.alpha = torch.tensor([0.3, 0.1])
        self.ours.temperatures.log_alpha.data = self.alpha.log()
        pairs = torch.tensor(list(itertools.product(range(3), repeat=2)))
        seen = torch.eye(3)[pairs]  # [9, 2, 3]
        self.batch = Episodes(
            obs=seen.unsqueeze(2).expand(-1, -1, 2, -1),
            state=seen,
            available_actions=torch.ones(9, 2, 2, 2, dtype=torch.bool),
            actions=torch.zeros(9, 1, 2, dtype=torch.int64),
            reward=self.r[pairs[:, 0]].unsqueeze(1),
            terminated=torch.zeros(9, 1, dtype=torch.bool),
            truncated=torch.ones(9, 1, dtype=torch.bool),
            length=torch.ones(9, dtype=torch.int64),
        )
        self.packed = PackedEpisodes.of(self.batch, self.ours.policy)
        self.weight = self.p[pairs[:, 0], pairs[:, 1]].view(3, 3, 1)

    def backup(self, tables: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """One application of both operators to values of states, [3, J] each, without the present entropy."""

        def joint(networks, kind, moment):
            return tables[kind][moment.state.argmax(-1)], []

        self.ours.joint = joint
        after = self.packed.states_after
        moment = Moment(None, after, None, self.entropy[after.argmax(-1)], None)
        targets = self.ours.targets_of(self.packed, moment)
        padded = {kind: self.packed.packing.padded(each)[:, 0] for kind, each in targets.items()}  # [9, J]
        return {kind: (self.weight * each.view(3, 3, -1)).sum(1) for kind, each in padded.items()}

    def fixed_point(self) -> dict[str, torch.Tensor]:
        tables = {kind: torch.zeros(3, 1 if kind == "critic" else 2) for kind in self.ours.names}
        for _ in range(400):
            tables = self.backup(tables)
        return tables

    def solved(self, reward: torch.Tensor) -> torch.Tensor:
        return torch.linalg.solve(torch.eye(3) - self.gamma * self.p, reward)


def test_the_operators_fixed_points_are_those_of_linear_algebra(double_precision):
    found = {}
    for scale in ("one", "alpha"):
        game = TinyMDP(0, entropy_scale=scale)
        values = found[scale] = game.fixed_point()
        torch.testing.assert_close(values["critic"][:, 0], game.solved(game.r))
        expected = game.solved(game.gamma * game.p @ game.entropy)
        factor = game.alpha if scale == "alpha" else 1.0
        torch.testing.assert_close(values["entropy_critic"], expected * factor)
    soft = TinyMDP(0, critics="soft")
    q_soft = soft.fixed_point()["critic"][:, 0]
    one = found["one"]["critic"][:, 0] + (soft.alpha * found["one"]["entropy_critic"]).sum(-1)
    torch.testing.assert_close(q_soft, one)
    unweighted = found["alpha"]["critic"][:, 0] + found["alpha"]["entropy_critic"].sum(-1)
    torch.testing.assert_close(q_soft, unweighted)
    weighted = found["alpha"]["critic"][:, 0] + (soft.alpha * found["alpha"]["entropy_critic"]).sum(-1)
    assert (weighted - q_soft).abs().max() > 0.1  # future entropy weighs alpha squared there


def test_the_operators_contract(double_precision):
    game, draw = TinyMDP(1), torch.Generator().manual_seed(0)
    for _ in range(200):
        pair = [
            {kind: torch.randn(3, 1 if kind == "critic" else 2, generator=draw) for kind in game.ours.names}
            for _ in range(2)
        ]
        after = [game.backup(each) for each in pair]
        for kind in game.ours.names:
            distance = (after[0][kind] - after[1][kind]).abs().max()
            assert distance <= game.gamma * (pair[0][kind] - pair[1][kind]).abs().max() + 1e-12


@pytest.mark.parametrize(("form", "expected"), [("unbiased", 99.0), ("code", 19.8)])
def test_lambda_returns_of_a_constant_entropy(double_precision, form, expected):
    """gamma h / (1 - gamma), and (1 - lambda) times that in the authors' form, are fixed points at gamma .99."""
    ours = learner(entropy_lambda=form, entropy_scale="one", gamma=0.99, td_lambda=0.8)
    batch = dataclasses.replace(episodes((80, 1)), terminated=torch.zeros(2, 80, dtype=torch.bool))
    packed = PackedEpisodes.of(batch, ours.policy)
    _, after = moments(ours, packed)
    sizes = {"critic": 1, "entropy_critic": 3}
    ours.joint = lambda networks, kind, moment: (torch.full((81, sizes[kind]), expected), [])
    target = ours.targets_of(packed, after._replace(entropy=torch.ones(81, 3)))["entropy_critic"]
    first = packed.packing.padded(target)[0, 0]
    torch.testing.assert_close(first, torch.full((3,), expected), rtol=1e-6, atol=0)
