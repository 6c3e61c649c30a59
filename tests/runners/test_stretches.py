"""Episodes collected a stretch at a time: the same steps as in one go, whatever the stretches' length."""

import pytest
import torch

from cohort.components.episodes import DONE, SEEN
from cohort.runners.in_process import HOPELESS_ROUNDS, InProcessRunner
from cohort.settings import NoSettings
from tests import harness
from tests.runners.test_in_process import LENGTHS, Breaking, CountingPolicy, Scripted


def runner_of(env) -> InProcessRunner:
    return InProcessRunner(NoSettings(), env=env, policy=CountingPolicy(), generator=torch.Generator())


def rows(episodes) -> set[tuple]:
    """Every single step as plain numbers."""
    steps = episodes.transitions()
    fields = [getattr(steps, name) for name in (*SEEN, *(f"next_{name}" for name in SEEN), *DONE)]
    return {
        tuple(torch.cat([each[i].flatten().double() for each in fields]).tolist())
        for i in range(steps.batch_size)
    }


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 100])
def test_stretches_hold_the_steps_of_the_whole_episodes(steps):
    whole = runner_of(Scripted()).run(t_env=0, explore=True)
    stretches = list(runner_of(Scripted()).stretches(t_env=0, steps=steps))
    found = [rows(stretch) for stretch, _ in stretches]
    assert set.union(*found) == rows(whole)
    assert sum(map(len, found)) == sum(LENGTHS), "no step twice"
    assert all(stretch.actions.shape[1] <= steps for stretch, _ in stretches)
    assert all((stretch.length > 0).all() for stretch, _ in stretches)
    *before, (_, last) = stretches
    assert all(episodes is None for _, episodes in before)
    assert last.length.tolist() == LENGTHS
    assert torch.equal(last.returns, whole.returns)
    assert torch.equal(last.info["won"], whole.info["won"])


def test_the_last_step_of_a_stretch_is_no_end_where_the_game_goes_on():
    first, _ = next(iter(runner_of(Scripted()).stretches(t_env=0, steps=2)))
    assert first.length.tolist() == [2, 1, 2, 2]
    assert first.terminated.sum(1).tolist() == [0, 1, 0, 0]
    assert not first.truncated.any()


def test_exploration_goes_on_with_the_steps_that_were_played():
    runner, seen = runner_of(Scripted()), []
    for stretch, _ in runner.stretches(t_env=100, steps=2):
        seen.append((runner.policy.t_env, int(stretch.length.sum())))
    assert seen == [(100, 7), (107, 5), (112, 2)]


def test_the_step_at_which_a_game_breaks_off_is_never_learned_from():
    stretches = list(
        runner_of(Breaking([{0}])).stretches(t_env=0, steps=2)
    )  # game 0 breaks off in its 3rd step
    lengths = [stretch.length.tolist() for stretch, _ in stretches]
    assert lengths == [[2, 1, 2, 2], [2, 2], [1, 1]]
    assert stretches[-1][1].length.tolist() == LENGTHS[1:], "its episode is not counted"


def test_games_that_always_break_off_end_the_run():
    runner = runner_of(Breaking([{0, 1, 2, 3}]))
    for _ in range(HOPELESS_ROUNDS - 1):
        list(runner.stretches(t_env=0, steps=2))
    with pytest.raises(RuntimeError, match="not one whole episode"):
        list(runner.stretches(t_env=0, steps=2))


# --- updates for each step


STEPS = "updates_per_episode=null updates_per_step"


@pytest.mark.parametrize(("ratio", "stretch"), [("0.5", 1), ("0.05", 10), ("2", 1), ("0.125", 4)])
def test_updates_follow_steps_while_episodes_are_being_played(ratio, stretch, monkeypatch):
    """going_together: two games of 10 steps, two steps for each stretch step; batches of 4 steps."""
    subject = harness.experiment("maddpg_fixed_lr", "going_together", f"{STEPS}={ratio}")
    trainer, moments = subject.trainer, []
    update = trainer.learner.update
    monkeypatch.setattr(
        trainer.learner, "update", lambda batch, clock: moments.append(clock.steps) or update(batch, clock)
    )
    for _ in range(4):
        trainer.iterate()
    assert trainer.t_env == 80
    assert trainer.episode == 8
    learned_from = (
        80 if stretch >= 2 else 80 - 2
    )  # the first 2 steps are no batch yet, and nothing is owed from them
    assert len(moments) == int(learned_from * float(ratio) + 1e-9)
    assert len(set(moments)) > 4 or float(ratio) * 80 < 5, "spread over the episodes"
    assert all(moment % 20 % (2 * stretch) == 0 for moment in moments)


def test_a_run_that_learns_while_playing_resumes_exactly(tmp_path):
    text = f"{STEPS}=0.3 target_update_interval=2"
    first, second = (harness.experiment("adama", "going_together", text) for _ in range(2))
    for _ in range(3):
        first.trainer.iterate()
    second.trainer.load_state_dict(first.trainer.state_dict())
    for each in (first, second):
        for _ in range(3):
            each.trainer.iterate()
    assert first.trainer.metrics() == second.trainer.metrics()
    assert first.learner.updates == second.learner.updates > 20


def test_a_memory_of_episodes_counts_steps_when_they_are_over():
    subject = harness.experiment("vdn", "matrix_games", f"{STEPS}=0.5 env_args.map_name=two_step")
    for _ in range(8):
        subject.trainer.iterate()
    assert subject.trainer.t_env == 8 * 2 * 2
    assert subject.learner.updates == (8 * 4 - 4) // 2  # a batch of 4 is there after the second round


@pytest.mark.parametrize("typed", ["updates_per_step=1", "updates_per_episode=null"])
def test_updates_are_counted_in_one_unit(typed):
    with pytest.raises(Exception, match="give one, and null for the other"):
        harness.plan("vdn", "matrix_games", typed)


def test_learners_of_single_steps_do_not_see_the_last_action():
    with pytest.raises(ValueError, match="obs_last_action=False"):
        harness.experiment("maac", "matrix_games", "obs_last_action=True")
