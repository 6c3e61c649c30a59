"""What every environment owes to runners, memories and learners, asked of all of them."""

import dataclasses
import importlib.util

import pytest
import torch

from cohort.envs import ENVS, MAPS
from cohort.envs.base import EnvSpec
from cohort.envs.payoffs import GAMES
from cohort.envs.smacv2_sim.env import SMACv2Sim
from cohort.envs.workers.env import WorkerEnv
from cohort.errors import UserError
from tests.envs.particles.support import SCENARIOS, arguments

B = 5
TEAMS = "tests.envs.foreign.parallel_teams"
CASES = [
    *(("matrix_games", {"map_name": name}) for name in GAMES),
    ("matrix_games", {"map_name": "custom", "payoff": [[[1, 2], [3, 4]], [[5, 6], [7, 8.5]]]}),
    ("matrix_games", {"map_name": "custom", "payoff": [3, 4]}),
    *((name, arguments(name)) for name in SCENARIOS),
    ("h_predator_prey", arguments("h_predator_prey", episode_limit=9)),
    ("spread", arguments("spread")),
    ("spread", arguments("spread", common_reward=True, episode_limit=4)),
    ("spread", arguments("spread3_mix", episode_limit=4)),
    ("spread", arguments("spread3_sep", episode_limit=4)),
    ("rover_tower", arguments("rover_tower", episode_limit=9)),
    ("rover_tower", arguments("rover_tower", common_reward=True, n_pairs=2, episode_limit=4)),
    ("clustering", arguments("clustering", n_agents=3, episode_limit=1)),
    ("tests.envs.particles.drifting:Drifting", {"world_size": 1.0, "episode_limit": 5}),
    ("continuous_matrix_game", {}),
    ("continuous_matrix_game", {"episode_limit": 3}),
    ("repeated_games", {"map_name": "ipd", "episode_limit": 4}),
    ("repeated_games", {"map_name": "rps", "n_agents": 3, "episode_limit": 4}),
    ("pursuit", arguments("pursuit", episode_limit=12)),
    (
        "pursuit",
        arguments("pursuit", n_evaders=1, surround=False, n_catch=1, episode_limit=30, common_reward=True),
    ),
    ("halfcheetah_dir", {"direction": "right", "reward_scale": 0.01, "episode_limit": 4}),
    ("sc2_sim", {"map_name": "3m"}),
    ("sc2_sim", {"map_name": "2s3z"}),
    ("sc2_sim", {"map_name": "3m", "continuing_episode": True, "reset_noise": 0.5, "obs_last_action": True}),
    ("smacv2_sim", {"map_name": "terran_5_vs_5"}),
    ("smacv2_sim", {"map_name": "protoss_10_vs_11", "continuing_episode": True}),
    ("sc2", {"map_name": "3m"}),
    ("pettingzoo", {"key": "mpe2.simple_spread_v3"}),
    ("pettingzoo", {"key": "mpe2.simple_speaker_listener_v4", "kwargs": {"continuous_actions": True}}),
    ("pettingzoo", {"key": f"{TEAMS}:shrinking", "common_reward": False, "time_limit": 9}),
    ("gymnasium", {"key": "tests.envs.foreign.gymnasium_teams:Gather-v0", "time_limit": 6}),
    ("pymarl", {"entry_point": "tests.envs.foreign.pymarl_teams:Corridor"}),
    *(
        ("vmas", {"scenario": name, "continuous_actions": False, "episode_limit": 9})
        for name in ("balance", "navigation", "simple_speaker_listener")
    ),
    (
        "vmas",
        {
            "scenario": "simple_world_comm",
            "continuous_actions": True,
            "episode_limit": 9,
            "common_reward": False,
            "info_keys": ("pos_rew",),
        },
    ),
    (
        "multiwalker",
        {
            "n_walkers": 2,
            "discrete_actions": True,
            "action_step": 0.2,
            "time_limit": 8,
            "common_reward": False,
            "obs_instead_of_state": True,
        },
    ),
    ("mamujoco", {"scenario": "Reacher", "agent_conf": "2x1", "time_limit": 8}),
]


def missing_package(name: str, arguments: dict) -> str | None:
    """A package that a case needs and that is not installed here."""
    needed = list(getattr(ENVS.load(name), "packages", ()))
    needed += [package for package in ("mpe2",) if arguments.get("key", "").startswith(package)]
    return next((package for package in needed if importlib.util.find_spec(package) is None), None)


@pytest.fixture(
    scope="module",
    params=CASES,
    ids=lambda case: "-".join(map(str, [case[0], *case[1].values()])).replace(" ", ""),
)
def make(request):
    """Builds the environment of one case; games in worker processes share them where they can."""
    name, arguments = request.param
    if package := missing_package(name, arguments):
        pytest.skip(f"{package} is not installed")
    cls = ENVS.load(name)
    workers: dict[int, WorkerEnv] = {}

    def build(batch_size: int = B, seed: int = 1):
        if batch_size in workers:
            return workers[batch_size].sharing_workers(seed)
        env = cls(cls.Settings(**arguments), batch_size=batch_size, seed=seed, device=torch.device("cpu"))
        if isinstance(env, WorkerEnv):
            workers[batch_size] = env
        return env

    if name == "sc2":
        try:
            build()
        except UserError as error:
            pytest.skip(str(error).partition("\n")[0])
    yield build
    for env in workers.values():
        env.close()


def test_every_registered_environment_is_asked():
    assert {name for name, _ in CASES} >= set(ENVS.entries) > set(MAPS)


def choose(available: torch.Tensor, generator: torch.Generator, action_dim: int = 0) -> torch.Tensor:
    """Random actions [B, N] among the available, or [B, N, U] numbers where actions are continuous."""
    if action_dim:
        return 2 * torch.rand((*available.shape[:2], action_dim), generator=generator) - 1
    scores = torch.rand(available.shape, generator=generator).masked_fill(~available, -1.0)
    return scores.argmax(-1)


def play(env, steps: int, seed: int = 0, observation=None):
    """Random available actions; every observation and transition, from `observation` or from a reset."""
    generator = torch.Generator().manual_seed(seed)
    observation = env.reset() if observation is None else observation
    seen = []
    for _ in range(steps):
        transition = env.step(choose(observation.available_actions, generator, env.spec.action_dim))
        seen.append(transition)
        observation = transition.observation
    return seen


def snapshot(transition) -> list[torch.Tensor]:
    return [
        *transition.observation, transition.reward, transition.terminated, transition.truncated,
        *(transition.info[name] for name in sorted(transition.info)),
    ]  # fmt: skip


def assert_equal(first, second) -> None:
    for one, other in zip(first, second, strict=True):
        for ours, theirs in zip(snapshot(one), snapshot(other), strict=True):
            assert torch.equal(ours, theirs)


def test_shapes_and_types_are_those_of_the_spec(make):
    env = make()
    spec = env.spec
    assert env.batch_size == B
    observation = env.reset()
    for transition in play(env, spec.episode_limit + 1, observation=observation):
        for seen in (observation, transition.observation):
            assert seen.obs.shape == (B, spec.n_agents, spec.obs_dim)
            assert seen.state.shape == (B, spec.state_dim)
            assert seen.available_actions.shape == (B, spec.n_agents, spec.n_actions)
            types = (seen.obs.dtype, seen.state.dtype, seen.available_actions.dtype)
            assert types == (torch.float32, torch.float32, torch.bool)
            assert torch.isfinite(seen.obs).all()
            assert torch.isfinite(seen.state).all()
            assert not spec.n_actions or seen.available_actions.any(-1).all(), "an agent without any action"
        assert transition.reward.shape == ((B,) if spec.common_reward else (B, spec.n_agents))
        assert transition.terminated.shape == transition.truncated.shape == (B,)
        assert transition.reward.dtype == torch.float32
        assert transition.terminated.dtype == transition.truncated.dtype == torch.bool
        assert set(transition.info) == set(spec.info_keys)
        assert all(value.shape == (B,) for value in transition.info.values())


def test_the_spec_never_changes(make):
    env = make()
    before = env.spec
    assert isinstance(before, EnvSpec)
    with pytest.raises(dataclasses.FrozenInstanceError):
        env.spec.n_agents = 3
    play(env, before.episode_limit)
    assert env.spec == before
    assert make(batch_size=2, seed=9).spec == before


def test_an_episode_ends_once_by_termination_or_truncation_within_the_limit(make):
    env = make()
    over = torch.zeros(B, dtype=torch.bool)
    for transition in play(env, env.spec.episode_limit):
        assert not (transition.terminated & transition.truncated).any()
        now = transition.terminated | transition.truncated
        assert (now | ~over).all(), "an ended game came back to life"
        over = now
    assert over.all(), "a game outlives its limit"


def test_an_ended_game_is_frozen_and_pays_nothing(make):
    env = make()
    ended: dict[int, list[torch.Tensor]] = {}
    for transition in play(env, env.spec.episode_limit + 3):
        values = snapshot(transition)
        paid = transition.reward
        for game in range(B):
            own = [value[game] for value in values if value is not paid]
            if game in ended:
                assert (paid[game] == 0).all()
                assert all(torch.equal(new, old) for new, old in zip(own, ended[game], strict=True))
            elif transition.terminated[game] or transition.truncated[game]:
                ended[game] = [value.clone() for value in own]


def test_reset_begins_a_new_episode_in_every_game(make):
    env = make()
    first = env.reset()
    shapes = [value.shape for value in first]
    play(env, env.spec.episode_limit, observation=first)
    again = env.reset()
    assert [value.shape for value in again] == shapes
    transition = play(env, 1, observation=again)[0]
    if env.spec.episode_limit > 1:
        assert not (transition.terminated | transition.truncated).all()
    halfway = env.reset()
    if not isinstance(env, SMACv2Sim):  # whose teams stand elsewhere in every episode
        assert torch.equal(halfway.available_actions, again.available_actions)


def test_what_was_handed_out_is_never_written_to_again(make):
    """Runners keep references until they copy; an environment that wrote in place would falsify them."""
    env = make()
    seen = play(env, min(6, env.spec.episode_limit))
    copies = [[value.clone() for value in snapshot(each)] for each in seen]
    play(env, env.spec.episode_limit, seed=1)
    for each, kept in zip(seen, copies, strict=True):
        assert all(torch.equal(now, then) for now, then in zip(snapshot(each), kept, strict=True))


def test_the_same_seed_plays_the_same_games(make):
    one, other = make(seed=3), make(seed=3)
    for seed in range(2):
        assert_equal(play(one, one.spec.episode_limit, seed), play(other, other.spec.episode_limit, seed))


@pytest.mark.parametrize("steps", [0, 1, 4, 10_000])
def test_a_restored_environment_goes_on_bit_for_bit(make, steps):
    env = make(seed=3)
    if isinstance(env, WorkerEnv):
        pytest.skip("what a game in a worker process has come to within an episode is not saved")
    steps = min(steps, env.spec.episode_limit)
    observation = env.reset()
    for transition in play(env, steps, observation=observation):
        observation = transition.observation
    state = env.state_dict()
    frozen = {name: value.clone() for name, value in state.items() if isinstance(value, torch.Tensor)}
    expected = play(env, 8, seed=5, observation=observation) + play(env, env.spec.episode_limit, seed=6)
    assert all(torch.equal(state[name], value) for name, value in frozen.items()), "the state is not a copy"

    restored = make(seed=77)
    restored.reset()
    restored.load_state_dict(state)
    found = play(restored, 8, seed=5, observation=observation) + play(
        restored, env.spec.episode_limit, seed=6
    )
    assert_equal(found, expected)


def test_a_restored_environment_begins_the_episodes_that_would_have_come_next(make):
    env, limit = make(seed=3), make().spec.episode_limit
    play(env, limit)
    state = env.state_dict()
    expected = [play(env, limit, seed) for seed in (5, 6)]
    restored = make(seed=77)
    restored.reset()
    restored.load_state_dict(state)
    for seed, episode in zip((5, 6), expected, strict=True):
        assert_equal(play(restored, limit, seed), episode)


def test_a_fresh_environments_state_can_be_restored(make):
    """A checkpoint may come before the first evaluation."""
    env, other = make(seed=3), make(seed=4)
    other.load_state_dict(env.state_dict())
    assert_equal(play(other, 3), play(env, 3))


def test_the_state_of_another_number_of_games_is_refused(make):
    env = make(batch_size=3)
    env.reset()
    with pytest.raises(ValueError, match="3"):
        make(batch_size=4).load_state_dict(env.state_dict())


def test_actions_beyond_the_range_count_as_its_ends(make):
    env, same = make(seed=3), make(seed=3)
    if not env.spec.action_dim or isinstance(env, WorkerEnv):
        pytest.skip("actions are discrete, or stretched to the bounds of another library's space")
    env.reset()
    same.reset()
    shape = (B, env.spec.n_agents, env.spec.action_dim)
    actions = 3 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert_equal([env.step(actions)], [same.step(actions.clamp(-1, 1))])


def test_no_environment_draws_from_or_seeds_the_global_generator(make):
    before = torch.get_rng_state()
    play(make(), 3)
    assert torch.equal(torch.get_rng_state(), before)
