"""The team's policy: what it may choose, how it explores, and that acting and unrolling are one function."""

import math

import pytest
import torch

from cohort.components.distributions import Utilities
from cohort.components.episodes import Episodes
from cohort.controllers.epsilon import EpsilonSettings
from cohort.controllers.epsilon_greedy import EpsilonGreedy
from cohort.controllers.heads import UtilityHead
from cohort.controllers.team_policy import TeamPolicy, TeamPolicySettings
from cohort.envs.base import Observation
from cohort.modules.agents.rnn import RNNAgent, RNNAgentSettings
from cohort.settings import NoSettings
from tests import harness
from tests.components.test_replay import random_episodes

SPEC = harness.spec()


def selector(start: float, finish: float = 0.0, duration: int = 100) -> EpsilonGreedy:
    chosen = EpsilonSettings(epsilon_start=start, epsilon_finish=finish, epsilon_anneal_time=duration)
    return EpsilonGreedy(chosen)


def controller(last_action: bool = True, agent_id: bool = True) -> TeamPolicy:
    torch.manual_seed(0)

    def agent(**sizes):
        return RNNAgent(RNNAgentSettings(rnn_hidden_dim=8), **sizes)

    return TeamPolicy(
        TeamPolicySettings(obs_last_action=last_action, obs_agent_id=agent_id),
        spec=SPEC,
        agent=agent,
        head=UtilityHead(NoSettings(), spec=SPEC),
        action_selector=selector(1.0),
    )


def available(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    mask = torch.rand(*shape, generator=generator) < 0.4
    mask[..., 1] |= ~mask.any(dim=-1)
    return mask


# --- epsilon-greedy


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_only_available_actions_are_ever_chosen(epsilon):
    mask = available(2000, 3, 5)
    utilities = torch.randn(2000, 3, 5) - 100 * mask  # what is available looks worst
    chosen = selector(epsilon).select(Utilities(utilities, mask), 0, torch.Generator().manual_seed(0))
    assert mask.gather(-1, chosen.unsqueeze(-1)).all()


def test_exploration_is_uniform_over_what_is_available_and_agents_explore_apart():
    draws, epsilon = 40_000, 0.4
    mask = torch.tensor([[True, False, True, True], [False, True, False, True]]).expand(draws, 2, 4)
    utilities = torch.tensor([[0.0, 9.0, 5.0, 0.0], [9.0, 0.0, 9.0, 1.0]]).expand(draws, 2, 4)
    chosen = selector(epsilon).select(Utilities(utilities, mask), 0, torch.Generator().manual_seed(1))
    greedy = torch.tensor([2, 3])
    for agent in range(2):
        actions = int(mask[0, agent].sum())
        for action in range(4):
            share = float((chosen[:, agent] == action).double().mean())
            expected = epsilon / actions * bool(mask[0, agent, action])
            expected += (1 - epsilon) * (action == int(greedy[agent]))
            assert abs(share - expected) < 5 * math.sqrt(0.25 / draws)
    off = (chosen != greedy).double()
    assert abs(float(torch.corrcoef(off.t())[0, 1])) < 0.03


def test_epsilon_falls_with_t_env():
    each = selector(1.0, 0.05, 50)
    assert each.metrics(0) == {"epsilon": 1.0}
    assert each.metrics(25)["epsilon"] == pytest.approx(0.525)
    assert each.metrics(500) == {"epsilon": 0.05}
    utilities, mask = torch.tensor([5.0, 0.0]).expand(5000, 1, 2), torch.ones(5000, 1, 2, dtype=torch.bool)
    chosen = each.select(Utilities(utilities, mask), 10**6, torch.Generator().manual_seed(0))
    assert 0.01 < float(chosen.double().mean()) < 0.045  # half of 0.05


def test_greedy_choice_is_the_argmax_and_draws_nothing():
    before = torch.get_rng_state()
    utilities = torch.tensor([[[3.0, 9.0, 5.0]]])
    mask = torch.tensor([[[True, False, True]]])
    assert Utilities(utilities, mask).mode.tolist() == [[2]]
    assert torch.equal(torch.get_rng_state(), before)


# --- the shared network


@pytest.mark.parametrize(
    ("last_action", "agent_id"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_inputs_are_observation_last_action_and_agent_in_this_order(last_action, agent_id):
    episodes = random_episodes([3, 3], seed=0, poison=False)
    team = controller(last_action, agent_id)
    inputs = team.inputs(episodes)
    for b in range(2):
        for t in range(4):
            for n in range(SPEC.n_agents):
                expected = episodes.obs[b, t, n].tolist()
                if last_action:
                    one_hot = [0.0] * SPEC.n_actions
                    if t > 0:
                        one_hot[int(episodes.actions[b, t - 1, n])] = 1.0
                    expected += one_hot
                if agent_id:
                    expected += [float(n == other) for other in range(SPEC.n_agents)]
                assert inputs[b, t, n].tolist() == expected
    assert team.input_dim == inputs.shape[-1]


@pytest.mark.parametrize("explore", [False, True])
def test_acting_step_by_step_is_the_unroll_of_what_was_recorded(explore, monkeypatch):
    games, steps = 3, 5
    team = controller()
    seen, utilities = [], []
    step = team.network.step

    def watched(inputs, hidden):
        outputs = step(inputs, hidden)
        seen.append(outputs[0])
        return outputs

    monkeypatch.setattr(team.network, "step", watched)
    drawn = random_episodes([steps] * games, seed=3, poison=False)
    mask = available(games, steps + 1, SPEC.n_agents, SPEC.n_actions)
    memory, actions = team.initial_memory(games), []
    generator = torch.Generator().manual_seed(0) if explore else None
    for t in range(steps + 1):
        chosen, memory, _ = team.act(
            Observation(drawn.obs[:, t], drawn.state[:, t], mask[:, t]), memory, 0, generator
        )
        actions.append(chosen)
    utilities = torch.stack(seen, dim=1)
    seen.clear()
    played = Episodes(
        **{**vars(drawn), "actions": torch.stack(actions[:-1], dim=1), "available_actions": mask}
    )
    torch.testing.assert_close(team.unroll(team.inputs(played), played), utilities, rtol=1e-5, atol=1e-6)
    if not explore:
        best = utilities.masked_fill(~mask, -math.inf).argmax(-1)
        assert torch.equal(torch.stack(actions, dim=1), best)


def test_agents_share_weights_and_differ_by_what_they_see():
    team = controller(agent_id=False)
    episodes = random_episodes([4], seed=0, poison=False)
    same = Episodes(
        **{
            **vars(episodes),
            "obs": episodes.obs[:, :, :1].expand(-1, -1, 2, -1),
            "actions": episodes.actions * 0,
        }
    )
    values = team.unroll(team.inputs(same), same)
    torch.testing.assert_close(values[:, :, 0], values[:, :, 1])
    with_id = controller(agent_id=True)
    values = with_id.unroll(with_id.inputs(same), same)
    assert not torch.allclose(values[:, :, 0], values[:, :, 1])


def test_rows_of_a_batch_do_not_mix():
    team = controller()
    episodes = random_episodes([4, 4, 4], seed=0, poison=False)
    alone = torch.cat(
        [team.unroll(team.inputs(one), one) for one in (episodes.rows(slice(i, i + 1)) for i in range(3))]
    )
    torch.testing.assert_close(team.unroll(team.inputs(episodes), episodes), alone)


def test_the_codes_are_no_part_of_the_saved_weights():
    assert all(name.startswith("network.") for name in controller().state_dict())
