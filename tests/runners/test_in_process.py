"""The runner on an environment whose every number is written down."""

import pytest
import torch

from cohort.controllers.team_policy import Act
from cohort.envs.base import Observation, Transition
from cohort.runners.in_process import InProcessRunner
from cohort.settings import NoSettings
from tests import harness

LIMIT = 5
LENGTHS = [3, 1, 5, 5]
ENDS = ["terminated", "terminated", "truncated", "terminated"]
SPEC = harness.spec(episode_limit=LIMIT, info_keys=("won",))


class Scripted:
    """Game b lasts LENGTHS[b] steps. Every observation, reward and mask names its game and step.

    After a game's end the values are not zero but frozen, as the contract has it: the runner must hide them.
    """

    spec = SPEC

    def __init__(self) -> None:
        self.batch_size = len(LENGTHS)
        self.length = torch.tensor(LENGTHS)
        self.cut = torch.tensor([end == "truncated" for end in ENDS])
        self.resets = 0

    def reset(self) -> Observation:
        self.t = torch.zeros(self.batch_size, dtype=torch.int64)
        self.resets += 1
        return self.observe()

    def observe(self) -> Observation:
        code = 100.0 * self.resets + 10.0 * torch.arange(1, self.batch_size + 1) + self.t
        mask = torch.ones(self.batch_size, SPEC.n_agents, SPEC.n_actions, dtype=torch.bool)
        mask[:, 0, 0] = self.t % 2 == 0
        return Observation(
            code.view(-1, 1, 1).expand(-1, SPEC.n_agents, SPEC.obs_dim).clone(),
            -code.view(-1, 1).expand(-1, SPEC.state_dim).clone(),
            mask,
        )

    def step(self, actions: torch.Tensor) -> Transition:
        assert actions.shape == (self.batch_size, SPEC.n_agents)
        assert actions.dtype == torch.int64
        ongoing = self.t < self.length
        self.t = self.t + ongoing
        over = self.t >= self.length
        reward = torch.where(ongoing, 0.5 * self.t + torch.arange(self.batch_size), 0.0)
        return Transition(
            self.observe(), reward, over & ~self.cut, over & self.cut, {"won": over & (self.length == 3)}
        )

    def state_dict(self) -> dict:
        return {"resets": self.resets}

    def load_state_dict(self, state: dict) -> None:
        self.resets = state["resets"]


class CountingPolicy:
    """Action = step number modulo A, so that records can be checked; draws once a step where it is to explore."""

    def initial_memory(self, batch_size: int) -> int:
        return 0

    def act(self, observation, memory, t_env, generator, explore=True):
        if explore:
            torch.rand(1, generator=generator)
        self.t_env = t_env
        action = (memory + 1) % SPEC.n_actions
        steps = torch.full((len(LENGTHS),), float(memory + 1))
        return Act(torch.full((len(LENGTHS), SPEC.n_agents), action), memory + 1, {"step": steps})


@pytest.fixture
def runner():
    generator = torch.Generator().manual_seed(0)
    return InProcessRunner(NoSettings(), env=Scripted(), policy=CountingPolicy(), generator=generator)


def test_episodes_hold_what_was_played_and_zeros_after_it(runner):
    episodes = runner.run(t_env=0, explore=False)
    assert episodes.length.tolist() == LENGTHS
    assert episodes.mask.sum(1).tolist() == LENGTHS
    for b, length in enumerate(LENGTHS):
        for t in range(LIMIT + 1):
            code = 100.0 + 10 * (b + 1) + t if t <= length else 0.0
            assert (episodes.obs[b, t] == code).all()
            assert (episodes.state[b, t] == -code).all()
            mask = [t % 2 == 0, True, True] if t <= length else [True] * 3
            assert episodes.available_actions[b, t, 0].tolist() == mask
        for t in range(LIMIT):
            real = t < length
            assert (episodes.actions[b, t] == ((t + 1) % SPEC.n_actions if real else 0)).all()
            assert episodes.reward[b, t] == (0.5 * (t + 1) + b if real else 0.0)
            for end in ("terminated", "truncated"):
                assert bool(getattr(episodes, end)[b, t]) == (t == length - 1 and ENDS[b] == end)
            assert episodes.extras["step"][b, t] == (t + 1 if real else 0)
    assert episodes.info["won"].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert episodes.returns.tolist() == [
        sum(0.5 * (t + 1) + b for t in range(n)) for b, n in enumerate(LENGTHS)
    ]


def test_types_are_those_of_the_record(runner):
    episodes = runner.run(t_env=0, explore=False)
    types = {
        "obs": torch.float32, "state": torch.float32, "available_actions": torch.bool, "actions": torch.int64,
        "reward": torch.float32, "terminated": torch.bool, "length": torch.int64,
    }  # fmt: skip
    assert {name: getattr(episodes, name).dtype for name in types} == types
    assert episodes.info["won"].dtype == torch.float32


def test_short_rounds_are_as_long_as_their_longest_episode(runner):
    runner.env.length = torch.tensor([2, 1, 2, 2])
    assert runner.run(t_env=0, explore=False).reward.shape == (4, 2)


def test_every_run_begins_anew_and_leaves_earlier_records_alone(runner):
    first = runner.run(t_env=0, explore=False)
    kept = first.obs.clone()
    second = runner.run(t_env=0, explore=False)
    assert torch.equal(first.obs, kept)
    assert second.obs[0, 0, 0, 0] == 210.0
    assert second.length.tolist() == LENGTHS


def test_evaluation_draws_no_randomness_and_exploration_draws_its_own(runner):
    everyones, own = torch.get_rng_state(), runner.generator.get_state()
    runner.run(t_env=7, explore=False)
    assert torch.equal(runner.generator.get_state(), own)
    runner.run(t_env=7, explore=True)
    assert runner.policy.t_env == 7
    assert not torch.equal(runner.generator.get_state(), own)
    assert torch.equal(torch.get_rng_state(), everyones)


def test_its_state_is_the_games_and_the_exploration(runner):
    runner.run(t_env=0, explore=True)
    state = runner.state_dict()
    other = InProcessRunner(
        NoSettings(), env=Scripted(), policy=CountingPolicy(), generator=torch.Generator()
    )
    other.load_state_dict(state)
    assert other.env.resets == 1
    assert torch.equal(torch.rand(3, generator=other.generator), torch.rand(3, generator=runner.generator))


class Breaking(Scripted):
    """Games break off as told: `broken[round]` are the numbers of the games that do, one step before their end."""

    def __init__(self, broken: list[set[int]]) -> None:
        super().__init__()
        self.broken = broken

    def step(self, actions: torch.Tensor) -> Transition:
        after = super().step(actions)
        breaks = torch.zeros(self.batch_size, dtype=torch.bool)
        breaks[list(self.broken[min(self.resets, len(self.broken)) - 1])] = True
        ended = after.terminated | after.truncated
        return after._replace(
            terminated=after.terminated & ~breaks,
            truncated=after.truncated | (ended & breaks),
            spoiled=ended & breaks,
        )


def play(env: Scripted, episodes: int):
    runner = InProcessRunner(
        NoSettings(), env=env, policy=CountingPolicy(), generator=torch.Generator(), episodes=episodes
    )
    return runner.run(t_env=0, explore=False)


def test_games_that_broke_off_are_played_again():
    episodes = play(Breaking([{0, 2}, {1}]), episodes=4)
    assert episodes.length.tolist() == [1, 5, 3, 5]  # games 1 and 3 of the first round, 0 and 2 of the second
    assert episodes.obs[:, 0, 0, 0].tolist() == [120.0, 140.0, 210.0, 230.0]
    assert episodes.info["won"].tolist() == [0.0, 0.0, 1.0, 0.0]


def test_more_episodes_than_games_take_several_rounds():
    env = Breaking([set()])
    episodes = play(env, episodes=10)
    assert env.resets == 3
    assert episodes.length.tolist() == [*LENGTHS, *LENGTHS, *LENGTHS[:2]]
    assert episodes.obs[:, 0, 0, 0].tolist() == [110, 120, 130, 140, 210, 220, 230, 240, 310, 320]


def test_games_that_always_break_off_end_the_run():
    with pytest.raises(RuntimeError, match="not one whole episode"):
        play(Breaking([{0, 1, 2, 3}]), episodes=4)


def test_a_round_of_which_nothing_is_left_is_forgotten():
    assert play(Breaking([{0, 1, 2, 3}, set()]), episodes=4).obs[:, 0, 0, 0].tolist() == [210, 220, 230, 240]


def test_every_moment_can_be_watched():
    seen = []
    runner = InProcessRunner(
        NoSettings(), env=Scripted(), policy=CountingPolicy(), generator=torch.Generator()
    )
    runner.run(t_env=0, explore=False, watch=lambda: seen.append(runner.env.t.tolist()))
    assert seen[0] == [0, 0, 0, 0]
    assert seen[-1] == LENGTHS
    assert len(seen) == 1 + max(LENGTHS)
