import pytest
import torch

from cohort.components.distributions import RestrictedUtilities
from cohort.components.packing import Packing
from cohort.components.schedules import LinearSchedule, RestartedSchedule
from cohort.components.seeding import generator
from cohort.configuration.plan import Sources, make_plan
from cohort.envs.base import Observation
from cohort.errors import UserError
from cohort.modules.roles import RoleSpaces
from tests.builders import SMALL, make_learner
from tests.learners.value.roles import formed

GAMES = 400


def observation(seed, available=None):
    draw = torch.Generator().manual_seed(seed)
    if available is None:
        available = torch.rand(GAMES, SMALL.n_agents, SMALL.n_actions, generator=draw) < 0.6
        some = torch.randint(SMALL.n_actions, (GAMES, SMALL.n_agents, 1), generator=draw)
        available.scatter_(-1, some, True)
    obs = torch.randn(GAMES, SMALL.n_agents, SMALL.obs_dim, generator=draw)
    return Observation(obs, torch.zeros(GAMES, SMALL.state_dim), available)


def played(policy, steps, explore, t_env=10**6):
    """What was observed and done at each step."""
    memory, random = policy.initial_memory(GAMES), generator(1, "test") if explore else None
    for t in range(steps):
        seen = observation(t)
        actions, memory, extras = policy.act(seen, memory, t_env, random)
        yield seen, actions, memory, extras


def rode(epsilon=0.05):
    """A team whose choices depend on what it sees."""
    policy = formed(epsilon_finish=epsilon).policy
    torch.manual_seed(4)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter)
    return policy


def test_greedy_roles_last_five_steps_and_actions_stay_within_them():
    policy, before = rode(), None
    for t, (seen, actions, memory, extras) in enumerate(played(policy, 12, explore=False)):
        assert torch.equal(extras["roles"], memory.roles.float())
        assert extras["roles"].dtype == torch.float32
        if t % 5:
            assert torch.equal(memory.roles, before)
        elif t:
            assert not torch.equal(memory.roles, before)
        before = memory.roles
        within = seen.available_actions & policy.roles.allowed[memory.roles]
        possible = within.any(dim=-1)
        assert possible.float().mean() < 1
        chosen = within.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        assert torch.equal(chosen, possible)
        assert bool(seen.available_actions.gather(-1, actions.unsqueeze(-1)).all())


def test_values_are_those_that_the_learner_reads():
    """Acting step by step is unrolling, in the roles that were played."""
    policy = rode()
    inputs, last, chosen = [], torch.full((GAMES, 3), -1), []
    for seen, actions, memory, _ in played(policy, 7, explore=False):
        inputs.append(policy._inputs(seen.obs, last))
        last = actions
        chosen.append((seen.available_actions, actions, memory.roles))
    packing = Packing.of(torch.full((GAMES,), 6), 6)
    rows = packing.of_moments(torch.stack(inputs, dim=1).clone())
    with torch.no_grad():
        queries = policy.unroll_packed(rows, packing).view(7, GAMES, 3, policy.roles.most, -1)
        role_values = policy.role_values(policy.unroll_roles(rows, packing)).view(7, GAMES, 3, -1)
        for t, (available, actions, roles) in enumerate(chosen):
            values = policy.roles.action_values(queries[t], roles.clone())
            decision = RestrictedUtilities(values, available, policy.roles.allowed[roles.clone()])
            assert (decision.mode == actions).float().mean() > 0.99  # but for ties
            if t % 5 == 0:
                assert (policy.decide_roles(role_values[t]).mode == roles).float().mean() > 0.99


def test_random_actions_are_uniform_over_what_is_available_whatever_the_role():
    policy = rode(epsilon=1.0)
    available = torch.tensor([True, True, False, True]).expand(GAMES, 3, 4)
    random, memory = generator(1, "test"), policy.initial_memory(GAMES)
    counts, role_counts = torch.zeros(4), torch.zeros(policy.roles.most)
    for t in range(20):
        actions, memory, _ = policy.act(observation(t, available), memory, 10**6, random)
        counts += torch.bincount(actions.flatten(), minlength=4)
        role_counts += torch.bincount(memory.roles.flatten(), minlength=policy.roles.most)
    torch.testing.assert_close(counts / counts.sum(), torch.tensor([1, 1, 0, 1]) / 3, atol=0.02, rtol=0)
    torch.testing.assert_close(
        (role_counts / role_counts.sum())[:4], torch.full((4,), 0.25), atol=0.04, rtol=0
    )


def test_where_the_role_allows_nothing_exploring_falls_back_to_chance_and_testing_to_the_best():
    policy = rode(epsilon=0.0)
    nothing = torch.zeros(policy.roles.most, 4, dtype=torch.bool)
    nothing[:, 3] = True
    policy.roles.allowed.copy_(nothing)
    available = torch.tensor([True, True, True, False]).expand(GAMES, 3, 4)
    random, memory, counts = generator(1, "test"), policy.initial_memory(GAMES), torch.zeros(4)
    for t in range(20):
        actions, memory, _ = policy.act(observation(t, available), memory, 10**6, random)
        counts += torch.bincount(actions.flatten(), minlength=4)
    torch.testing.assert_close(counts / counts.sum(), torch.tensor([1, 1, 1, 0]) / 3, atol=0.02, rtol=0)
    values = torch.tensor([[1.0, 3.0, 2.0, 9.0]])
    decision = RestrictedUtilities(values, available[0, :1], nothing[:1])
    assert decision.mode.tolist() == [1]


def test_before_roles_are_formed_there_are_three_that_may_do_everything():
    policy = make_learner("rode", n_role_clusters=4).policy
    seen_roles = set()
    for *_, memory, _ in played(policy, 6, explore=True, t_env=0):
        seen_roles |= set(memory.roles.unique().tolist())
    assert seen_roles == {0, 1, 2}
    assert policy.roles.most == 4
    assert bool(policy.roles.allowed.all())
    assert bool((policy.roles.action_latents == 1).all())


@pytest.mark.parametrize(
    ("t_env", "expected"),
    [
        (0, 1.0),
        (25_000, 0.525),
        (50_000, 0.05),
        (50_001, 1.0),
        (85_000, 0.525),
        (120_000, 0.05),
        (10**6, 0.05),
    ],
)
def test_epsilon_falls_and_begins_again_when_roles_are_formed(t_env, expected):
    schedule = RestartedSchedule(LinearSchedule(1.0, 0.05, 50_000), 50_000, LinearSchedule(1.0, 0.05, 70_000))
    assert schedule.at(t_env) == pytest.approx(expected, abs=2e-5)


def test_rode_explores_by_its_keys():
    policy = make_learner(
        "rode",
        role_action_spaces_update_start=100,
        epsilon_anneal_time=200,
        epsilon_anneal_time_exp=400,
    ).policy
    at = {t: policy.action_selector.metrics(t)["epsilon"] for t in (0, 100, 101, 300, 500)}
    assert at == pytest.approx({0: 1.0, 100: 0.525, 101: 1 - 0.95 / 400, 300: 0.525, 500: 0.05})


@pytest.mark.parametrize(
    "typed",
    [
        {"mac": "basic_mac"},
        {"head": "utilities"},
        {"action_selector": "epsilon_greedy"},
        {"learner": "q_learner"},
    ],
    ids=lambda typed: next(iter(typed)),
)
def test_a_team_with_roles_is_refused_what_has_none(typed):
    with pytest.raises(UserError, match="do not fit together"):
        make_plan(Sources.read("rode", "sc2_sim", typed))


def test_spaces_and_representations_travel_with_the_team():
    saved = rode().state_dict()
    fresh = make_learner(
        "rode", n_role_clusters=3, action_latent_dim=6, rnn_hidden_dim=8, role_selector_hidden_dim=7
    ).policy
    fresh.load_state_dict(saved)
    assert fresh.roles.exists.sum() == 4
    fresh.roles.become(RoleSpaces(torch.ones(3, 4, dtype=torch.bool), torch.ones(4, 6)))
    assert fresh.roles.exists.sum() == 3
