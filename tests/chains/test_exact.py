"""Exact values of tabular policies against known ones and against play."""

import itertools
import math
from collections import Counter

import pytest
import torch

from cohort.chains.exact import action_shares, discounted_value, joint_policy, mean_reward
from cohort.chains.matches import play_matches
from cohort.envs.repeated_games import prisoners_dilemma, rock_paper_scissors
from cohort.modules.policies.table import TablePolicy

GAMMA = 0.96
# P(cooperate) over (null, DD, DC, CD, CC): the first letter is agent 0's
DEFECT, COOPERATE = (0, 0, 0, 0, 0), (1, 1, 1, 1, 1)
TIT_FOR_TAT = ((1, 0, 1, 0, 1), (1, 0, 0, 1, 1))  # as agent 0, as agent 1


def logits(cooperates: tuple[float, ...]) -> torch.Tensor:
    chance = torch.tensor([cooperates], dtype=torch.float64)
    return torch.stack([1 - chance, chance], dim=-1).clamp_min(1e-300).log()


def horizon_value(tables: list[torch.Tensor], steps: int) -> float:
    """Agent 0's discounted return over `steps`, by a loop."""
    game, value = prisoners_dilemma(), 0.0
    joint = torch.einsum("csa,csb->csab", *(each.softmax(-1) for each in tables)).flatten(2)[0]
    now = joint[0]
    for step in range(steps):
        value += GAMMA**step * float(now @ game.payoff[:, 0].double())
        now = now @ joint[1:]
    return value


@pytest.mark.parametrize(
    ("first", "second", "at_150", "endless"),
    [
        (DEFECT, DEFECT, -12.472610, -12.5),
        (COOPERATE, COOPERATE, 12.472610, 12.5),
        (DEFECT, COOPERATE, 37.417829, 37.5),
        (TIT_FOR_TAT[0], TIT_FOR_TAT[1], 12.472610, 12.5),
        (TIT_FOR_TAT[0], DEFECT, -13.472610, -13.5),
        (DEFECT, TIT_FOR_TAT[1], -10.472610, -10.5),
    ],
)
def test_the_dilemmas_known_values(first, second, at_150, endless):
    tables = [logits(first), logits(second)]
    assert horizon_value(tables, 150) == pytest.approx(at_150, abs=1e-6)
    assert discounted_value(prisoners_dilemma(), tables, GAMMA)[0, 0].item() == pytest.approx(endless)


def test_tit_for_tat_against_defection_averages_what_150_steps_pay():
    average = mean_reward(prisoners_dilemma(), [logits(TIT_FOR_TAT[0]), logits(DEFECT)], 150)
    assert average[0].tolist() == pytest.approx([-0.506667, (149 * -0.5 + 1.5) / 150], abs=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 50])
def test_a_mean_over_any_number_of_steps_is_a_loops(steps):
    tables = [torch.randn(3, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))] * 2
    joint = joint_policy(tables)
    now, total = joint[:, 0], torch.zeros(3, 2, dtype=torch.float64)
    for _ in range(steps):
        total += now @ prisoners_dilemma().payoff.double()
        now = (now.unsqueeze(1) @ joint[:, 1:]).squeeze(1)
    torch.testing.assert_close(mean_reward(prisoners_dilemma(), tables, steps), total / steps)


@pytest.mark.parametrize("steps", [1, 7])
def test_shares_of_actions_are_those_of_a_loop_over_states(steps):
    """Three players of rock-paper-scissors, state by state and joint action by joint action."""
    game, generator = rock_paper_scissors(3), torch.Generator().manual_seed(3)
    tables = [torch.randn(1, 28, 3, dtype=torch.float64, generator=generator) for _ in range(3)]
    chance = [table[0].softmax(-1).tolist() for table in tables]
    now, shares = {0: 1.0}, [[0.0] * 3 for _ in range(3)]
    for _ in range(steps):
        following: dict[int, float] = {}
        for state, weight in now.items():
            for number, joint in enumerate(itertools.product(range(3), repeat=3)):
                each = weight * math.prod(chance[agent][state][joint[agent]] for agent in range(3))
                following[1 + number] = following.get(1 + number, 0.0) + each
                for agent, action in enumerate(joint):
                    shares[agent][action] += each / steps
        now = following
    torch.testing.assert_close(
        action_shares(game, tables, steps)[0], torch.tensor(shares, dtype=torch.float64)
    )


@pytest.mark.parametrize("n_agents", [2, 3, 4])
def test_uniform_play_is_worth_nothing_against_anything(n_agents):
    game = rock_paper_scissors(n_agents)
    generator = torch.Generator().manual_seed(0)
    tables = [torch.randn(1, game.n_states, 3, dtype=torch.float64, generator=generator)] * n_agents
    values = discounted_value(game, tables, 0.9)
    assert values.sum().item() == pytest.approx(0, abs=1e-9)
    if n_agents == 2:
        tables = [torch.zeros_like(tables[0]), tables[1]]
        assert discounted_value(game, tables, 0.9).abs().max() < 1e-12


@pytest.mark.parametrize("game", [prisoners_dilemma(), rock_paper_scissors(3)], ids=["ipd", "rps3"])
def test_play_pays_what_the_closed_form_expects(game):
    """2 chains x 4,000 matches: within five standard errors."""
    generator = torch.Generator().manual_seed(1)
    policies = [TablePolicy(game.n_states, game.n_actions)] * game.n_agents
    tables = [torch.randn(2, game.n_states, game.n_actions, generator=generator) for _ in policies]
    uniform = torch.rand(2, 4000, 20, game.n_agents, generator=generator)
    matches = play_matches(game, policies, [{"logits": each} for each in tables], uniform)
    expected = mean_reward(game, [each.double() for each in tables], 20)
    per_match = matches.reward.mean(dim=2)
    error = per_match.std(dim=1) / 4000**0.5
    assert ((matches.score - expected).abs() < 5 * error).all()
    following = game.next_state(matches.actions)
    assert torch.equal(following[..., :-1], matches.states[..., 1:])
    assert torch.equal(game.reward(following), matches.reward)
    assert not matches.states[..., 0].any()
    shares = matches.action_shares(game.n_actions)
    for chain in range(2):
        for agent in range(game.n_agents):
            counted = Counter(matches.actions[chain, ..., agent].flatten().tolist())
            expected = [counted[action] / (4000 * 20) for action in range(game.n_actions)]
            assert shares[chain, agent].tolist() == pytest.approx(expected)
