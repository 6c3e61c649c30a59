"""What each side's learner reads of a game's batches, and what moves when it learns."""

import dataclasses

import pytest
import torch

from cohort.assembly import build_learner, build_team
from cohort.components.clock import Clock
from cohort.components.mixed_batch import MixedBatch
from cohort.components.sides import Side
from cohort.configuration.plan import Sources, make_plan
from cohort.envs.base import EnvSpec
from tests.builders import random_episodes, random_transitions

GAME = EnvSpec(n_agents=4, n_actions=3, obs_dim=5, state_dim=6, episode_limit=8, common_reward=False)
ONE, TWO = [0, 2, 3], [1]
EPISODES = ("iql", "qmix", "ippo", "dop")
STEPS = ("maddpg",)


def plan(algorithm: str, reward: str = "sum", **typed):
    teams = {"one": {"agents": ONE, "reward": reward}, "two": {"agents": TWO}}
    more = {"standardise_rewards": False} if algorithm in STEPS else {}
    return make_plan(Sources.read(algorithm, "rps", {"teams": teams, **more, **typed}))


def build(algorithm: str, reward: str = "sum", seed: int = 0):
    torch.manual_seed(seed)
    return build_learner(plan(algorithm, reward), GAME, torch.device("cpu"))[1]


def batch(algorithm: str, seed: int = 0):
    """Of the whole game, with what acting leaves in it."""
    if algorithm in STEPS:
        return random_transitions(12, GAME, seed)
    episodes = random_episodes([4, 8, 6], GAME, seed)
    draw = torch.Generator().manual_seed(seed + 7)
    own = torch.randn(*episodes.reward.shape, 4, generator=draw).masked_fill_(~episodes.mask[..., None], 0.0)
    chances = torch.full((*own.shape[:2], 4), -1.0)
    extras = {"one/log_prob": chances[..., ONE], "two/log_prob": chances[..., TWO]}
    episodes = dataclasses.replace(episodes, reward=own, extras=extras)
    return MixedBatch(episodes, episodes, episodes) if algorithm == "dop" else episodes


def update(learner, batch):
    if hasattr(next(iter(getattr(learner, "learners", {"": learner}).values())), "prepare"):
        batch = learner.prepare(batch)
    return learner.update(batch, Clock(100, 10, 0))


def poisoned(batch, agents: list[int], names: tuple[str, ...]):
    """The same for all others; these agents' entries are not a number, or other ones."""
    if isinstance(batch, MixedBatch):
        return MixedBatch(*(poisoned(each, agents, names) for each in batch))
    changed = {}
    for name in names:
        value = getattr(batch, name).clone()
        at = value.dim() - 1 if name in ("reward", "actions") else value.dim() - 2
        index = (*[slice(None)] * at, agents)
        value[index] = torch.nan if value.is_floating_point() else value[index].flip(0)
        changed[name] = value
    return dataclasses.replace(batch, **changed)


def weights(learner) -> list[torch.Tensor]:
    return [each.detach().clone() for each in learner.networks.parameters()]


def same(some, others) -> bool:
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


@pytest.mark.parametrize("algorithm", [*EPISODES, *STEPS])
def test_a_side_learns_from_nothing_that_is_another_sides(algorithm):
    """Neither rewards nor what the others see and do reach its gradient: there they are not even numbers."""
    plain, before = build(algorithm), build(algorithm)
    clean = batch(algorithm)
    update(plain, clean)
    for name, theirs in (("one", TWO), ("two", ONE)):
        learner = build(algorithm)
        seen = ("obs", "next_obs") if algorithm in STEPS else ("obs",)
        update(learner, poisoned(clean, theirs, ("reward", "actions", *seen)))
        assert same(weights(learner.learners[name]), weights(plain.learners[name]))
        assert not same(weights(before.learners[name]), weights(plain.learners[name])), "it has learned"
    own = build(algorithm)
    update(own, poisoned(clean, [0], ("reward",)))
    assert any(each.isnan().any() for each in weights(own.learners["one"])), "its own reward reaches it"


@pytest.mark.parametrize("algorithm", [*EPISODES, *STEPS])
def test_a_side_learns_as_a_team_of_its_own_would(algorithm):
    """Beside the same learner of a game of three agents, given what is cut out by hand."""
    sides = build(algorithm)
    spec = dataclasses.replace(GAME, n_agents=3, common_reward=True)
    alone = build_team(plan(algorithm), spec, torch.device("cpu"))[1]
    alone.load_state_dict(sides.learners["one"].state_dict())

    def cut(batch):
        if isinstance(batch, MixedBatch):
            return MixedBatch(*map(cut, batch))
        at = 1 if algorithm in STEPS else 2
        per_agent = {
            each.name: getattr(batch, each.name).index_select(at, torch.tensor(ONE))
            for each in dataclasses.fields(batch)
            if each.name.removeprefix("next_") in ("obs", "available_actions", "actions")
        }
        reward = batch.reward[..., 0] + batch.reward[..., 2] + batch.reward[..., 3]
        extras = {} if algorithm in STEPS else {"log_prob": batch.extras["one/log_prob"]}
        return dataclasses.replace(batch, **per_agent, reward=reward, extras=extras)

    for seed in range(3):
        whole = batch(algorithm, seed)
        ours, theirs = update(sides, whole), update(alone, cut(whole))
        assert {name: ours[f"one/{name}"] for name in theirs} == theirs
    assert same(weights(sides.learners["one"]), weights(alone))
    assert sides.updates == alone.updates == 3


def test_a_side_is_paid_the_sum_the_mean_or_each_agent_its_own():
    reward = torch.tensor([[1.0, 20.0, 3.0, 8.0]])
    paid = {pay: Side("one", torch.tensor(ONE), pay).paid(reward).tolist() for pay in ("sum", "mean", "own")}
    assert paid == {"sum": [12.0], "mean": [4.0], "own": [[1.0, 3.0, 8.0]]}
    assert build("iql", "own").learners["one"].updates == 0, "IQL takes rewards of their own"
    with pytest.raises(ValueError, match="every agent has a reward of its own"):
        build("qmix", "own")


def test_a_past_copy_is_the_policy_as_it_was_at_the_last_interval():
    teams = {"one": {"agents": [0, 1]}, "two": {"agents": [2, 3], "copy_of": "one", "copy_interval": 100}}
    torch.manual_seed(0)
    policy, learner = build_learner(
        make_plan(Sources.read("iql", "rps", {"teams": teams, "lr": 0.05})), GAME, torch.device("cpu")
    )
    plays = policy.players[1].policy
    assert plays is learner.copy("two")
    kept = weights_of(plays)
    assert same(kept, weights_of(policy.players[0].policy))
    for steps in range(20, 360, 20):
        learner.update(batch("iql", steps), Clock(steps, steps, 0))
        if steps % 100 == 0:
            kept = weights_of(policy.players[0].policy)
        assert same(weights_of(plays), kept)
    assert not same(kept, weights_of(policy.players[0].policy)), "the live one has gone on"
    assert not any(each.requires_grad for each in plays.parameters())


def weights_of(policy) -> list[torch.Tensor]:
    return [each.detach().clone() for each in policy.parameters()]
