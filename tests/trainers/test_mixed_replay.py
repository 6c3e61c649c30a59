"""The trainer that replays old episodes and recent ones: what each update reads, when, and that it resumes."""

import copy

import pytest
import torch

from cohort.cli import main
from tests import harness

TEXT = "batch_size_run=2 batch_size=6 recent_batch_size=2 recent_size=4 updates_per_episode=1 buffer_size=10"


def test_an_update_reads_all_that_is_held_what_is_recent_and_the_latest(monkeypatch):
    trainer = harness.experiment("dop", "sc2_sim", TEXT).trainer
    seen, played = [], []
    monkeypatch.setattr(trainer.learner, "update", lambda batch, clock: seen.append(batch) or {})
    for _ in range(3):
        trainer.iterate()
        played += list(trainer.latest.state[:, 0])
        if len(played) < 6:
            assert not seen, "learning begins with a whole batch"
    assert len(seen) == 2

    def places(episodes):
        """Which of the episodes played each one is, by its first state."""
        return [
            next(i for i, each in enumerate(played) if torch.allclose(each, state, atol=1e-3))
            for state in episodes.state[:, 0]
        ]

    for batch in seen:
        assert sorted(places(batch.replayed)) == [0, 1, 2, 3, 4, 5]
        assert set(places(batch.recent)) <= {2, 3, 4, 5}
        assert len(set(places(batch.recent))) == 2
        assert sorted(places(batch.latest)) == [4, 5]
        assert "log_prob" in batch.latest.extras


def test_a_restored_trainer_goes_on_the_same():
    first = harness.experiment("dop", "matrix_games", TEXT).trainer
    second = harness.experiment("dop", "matrix_games", f"{TEXT} seed=2").trainer
    for _ in range(6):
        first.iterate()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for trainer in (first, second):
        for _ in range(6):
            trainer.iterate()
    assert first.metrics() == second.metrics()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("recent_size=1", "recent_batch_size (2) may be at most recent_size (1)"),
        ("recent_size=7", "at most batch_size (6)"),
        ("trainer=off_policy", "dop_learner requires mixed_batches"),
        ("mixer=vdn", "dop_learner requires weights"),
        ("critic=individual", "critic values"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_built(typed, said, capsys, tmp_path):
    words = harness.words("dop", "matrix_games", f"{TEXT} {typed} local_results_path={tmp_path}")
    assert main(words) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_it_learns_a_game_with_a_known_optimum():
    """10 for both second actions, which random play meets in a quarter of its episodes, 2 for both first, else 0."""
    game = "env_args.map_name=custom env_args.payoff=[[2,0],[0,10]] batch_size_run=8 test_nepisode=8"
    sizes = "rnn_hidden_dim=16 critic_hidden_dims=[16] batch_size=32 buffer_size=500"
    rates = "lr=0.003 critic_lr=0.003 critic_updates=5 target_update_updates=5 epsilon_anneal_time=1000"
    subject = harness.experiment(
        "dop", "matrix_games", f"{game} {sizes} {rates} recent_batch_size=16 recent_size=32"
    )
    for _ in range(60):
        subject.trainer.iterate()
    assert subject.evaluate()["test_return_mean"] == 10
