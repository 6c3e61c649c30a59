"""The runner whose games never wait: what it records, beside games played one by one."""

import io

import pytest
import torch

from cohort.components.episodes import DONE, SEEN, Episodes
from cohort.configuration.plan import Sources, make_plan
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import Transition
from cohort.envs.sc2_sim.env import SC2Sim
from cohort.errors import UserError
from cohort.experiment import Experiment
from cohort.runners.refilling import RefillingRunner
from cohort.settings import NoSettings
from tests.builders import make_learner

GAMES = 3


def make(seed: int = 4, greedy: bool = True, agent: str = "rnn") -> RefillingRunner:
    """QMIX's team on 3m; greedy, so that an episode depends on its game alone and can be played again."""
    env = SC2Sim(SC2Sim.Settings(map_name="3m", reset_noise=0.3), batch_size=GAMES, seed=seed)
    epsilon = 0.0 if greedy else 0.5
    learner = make_learner(
        "qmix", env.spec, env="sc2_sim", agent=agent, epsilon_start=epsilon, epsilon_finish=epsilon
    )
    with torch.no_grad():  # to the enemy, and at it
        for layer in learner.policy.network.last_layers:
            layer.bias += torch.tensor([0, 0, 0, 0, 1, 0, 2, 2, 2])
    generator = torch.Generator().manual_seed(seed)
    return RefillingRunner(NoSettings(), env=env, policy=learner.policy, generator=generator)


def alone(policy: TeamPolicy, game: int, episodes: int, seed: int = 4) -> list[dict]:
    """The episodes of one game, one after the other, step by step: the slow and obvious way."""
    env = SC2Sim(SC2Sim.Settings(map_name="3m", reset_noise=0.3), batch_size=1, seed=seed, first_game=game)
    played = []
    for _ in range(episodes):
        seen, memory = [env.reset()], policy.initial_memory(1)
        transitions: list[Transition] = []
        actions = []
        while not transitions or not bool(transitions[-1].terminated | transitions[-1].truncated):
            action, memory, _ = policy.act(seen[-1], memory, 0, None)
            actions.append(action)
            transitions.append(env.step(action))
            seen.append(transitions[-1].observation)
        record = {name: torch.cat([getattr(each, name) for each in seen]) for name in SEEN}
        record |= {name: torch.cat([getattr(each, name) for each in transitions]) for name in DONE[1:]}
        played.append({**record, "actions": torch.cat(actions), "info": transitions[-1].info})
    return played


@pytest.mark.parametrize("agent", ["rnn", "mlp", "own_rnn"])
def test_every_episode_is_the_one_that_its_game_would_have_played_alone(agent):
    runner = make(agent=agent)
    runner.episodes = 2  # of three games
    records = [runner.run(t_env=0, explore=True) for _ in range(7)]
    assert all(record.batch_size == 2 for record in records)
    expected = [alone(runner.policy, game, episodes=12) for game in range(GAMES)]
    begun = [0] * GAMES
    lengths = set()
    for record in records:
        for row in range(2):
            length = int(record.length[row])
            lengths.add(length)
            game = next(
                g for g in range(GAMES) if torch.equal(expected[g][begun[g]]["obs"][0], record.obs[row, 0])
            )
            one = expected[game][begun[game]]
            begun[game] += 1
            assert len(one["actions"]) == length
            for name in SEEN:
                assert torch.allclose(
                    getattr(record, name)[row, : length + 1].float(), one[name].float(), atol=1e-6
                )
            for name in DONE:
                assert torch.allclose(
                    getattr(record, name)[row, :length].float(), one[name].float(), atol=1e-6
                )
            assert all(record.info[name][row] == value.float() for name, value in one["info"].items())
            assert not record.obs[row, length + 1 :].any()
            assert record.available_actions[row, length + 1 :].all()
            for name in DONE:
                assert not getattr(record, name)[row, length:].any()
    assert len(lengths) > 1
    assert max(begun) > min(begun)  # or nothing was refilled


def test_no_game_waits_and_surplus_is_returned_first():
    runner = make()
    steps, step = [], runner.env.step
    runner.env.step = lambda actions: steps.append(1) or step(actions)
    runner.episodes = 2  # of three games: often one more has ended
    records = [runner.run(t_env=0, explore=True) for _ in range(9)]
    counted = sum(int(record.length.sum()) for record in records)
    in_play = int((len(runner._playing.steps) - runner._playing._begin).sum())
    waiting = runner._playing._waiting
    assert counted + in_play + (int(waiting.length.sum()) if waiting else 0) == GAMES * len(steps)
    assert len(runner._playing.steps) <= runner.env.spec.episode_limit


def test_a_restored_runner_goes_on_bit_for_bit():
    runner, other = make(greedy=False), make(greedy=False)
    runner.episodes = other.episodes = 2
    for _ in range(3):
        runner.run(t_env=0, explore=True)
    file = io.BytesIO()
    torch.save(runner.state_dict(), file)
    file.seek(0)
    expected = [runner.run(t_env=0, explore=True) for _ in range(3)]
    other.load_state_dict(torch.load(file, weights_only=True))
    for one in expected:
        same(one, other.run(t_env=0, explore=True))


def same(one: Episodes, other: Episodes) -> None:
    for name in (*SEEN, *DONE, "length"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_evaluations_play_their_episodes_from_the_beginning():
    runner = make()
    first = runner.run(t_env=0, explore=False)
    assert first.batch_size == GAMES
    assert runner._playing is None


def qmix(**typed):
    return make_plan(Sources.read("qmix", "sc2_sim", {"runner": "refilling", "use_cuda": False, **typed}))


def test_qmix_collects_and_learns_with_it():
    trainer = Experiment(qmix(batch_size_run=4, batch_size=8), lambda line: None).trainer
    for _ in range(3):
        trainer.iterate()
    assert trainer.episode == 12
    assert len(trainer.replay) == 12
    assert trainer.learner.updates == 8  # 4 of 12 episodes came before there was a batch
    assert trainer.t_env == int(trainer.replay.sample(12, latest=12).length.sum())


@pytest.mark.parametrize(
    ("algorithm", "environment", "why"),
    [
        ("mnmpg", "sc2_sim", "late_episodes"),
        ("dop", "sc2_sim", "late_episodes"),
        ("mappo", "sc2_sim", "late_episodes"),
        ("rode", "sc2_sim", "single_resets"),
        ("qmix", "matrix_games", "single_resets"),
        ("maddpg", "spread", "learns from steps"),
    ],
)
def test_what_cannot_use_it_is_refused_in_a_sentence(algorithm, environment, why):
    with pytest.raises(UserError, match=why):
        make_plan(Sources.read(algorithm, environment, {"runner": "refilling"}))
