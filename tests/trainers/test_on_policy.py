"""The on-policy trainer: what is learned from, how often, and that nothing else is."""

import copy

import pytest
import torch

from tests import harness


def test_each_epoch_learns_from_every_episode_once(monkeypatch):
    subject = harness.experiment("mappo", "sc2_sim", "batch_size_run=5 epochs=3 minibatches=2")
    trainer, seen = subject.trainer, []
    monkeypatch.setattr(trainer.learner, "update", lambda batch, clock: seen.append((batch, clock)) or {})
    trainer.iterate()
    assert [batch.batch_size for batch, _ in seen] == [3, 2] * 3
    played = trainer.latest
    orders = []
    for epoch in range(3):
        obs = torch.cat([batch.obs for batch, _ in seen[2 * epoch : 2 * epoch + 2]])
        order = [next(i for i in range(5) if torch.equal(each, played.obs[i])) for each in obs]
        assert sorted(order) == [0, 1, 2, 3, 4]
        orders.append(order)
    assert len(set(map(tuple, orders))) > 1, "split anew for each epoch"
    assert all(clock.steps == int(played.length.sum()) and clock.episodes == 5 for _, clock in seen)


def test_the_first_update_begins_at_the_policy_that_played():
    """What acting left in the record are the probabilities of the very networks that learn."""
    subject = harness.experiment("mappo", "sc2_sim", "batch_size_run=4")
    trainer = subject.trainer
    episodes = trainer.runner.run(t_env=0, explore=True)
    loss = trainer.learner.actor_loss(trainer.learner.prepare(episodes))
    assert float(loss.metrics["approx_kl"]) == pytest.approx(0, abs=1e-6)
    assert float(loss.metrics["clipped_share"]) == 0
    assert episodes.extras["log_prob"][episodes.mask].isfinite().all()


def test_nothing_is_kept_and_a_restored_trainer_goes_on_the_same():
    first = harness.experiment("mappo", "matrix_games", "batch_size_run=6 minibatches=3").trainer
    second = harness.experiment("mappo", "matrix_games", "batch_size_run=6 minibatches=3 seed=2").trainer
    for _ in range(3):
        first.iterate()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for trainer in (first, second):
        for _ in range(3):
            trainer.iterate()
    assert first.metrics() == second.metrics()
    assert "replay" not in first.state_dict()


OWN_RATES = {
    "vdac": "lr=0.003 epsilon_anneal_time=1000",
    "lica": "lr=0.003 critic_lr=0.003 critic_hidden_dim=16",
}


@pytest.mark.parametrize("algorithm", ["mappo", "ippo", "coma", "vdac", "lica"])
def test_it_learns_a_game_with_a_known_optimum(algorithm):
    """10 for both second actions, which random play meets in a quarter of its episodes, 2 for both first, else 0."""
    game = "env_args.map_name=custom env_args.payoff=[[2,0],[0,10]] batch_size_run=32 test_nepisode=8"
    own = OWN_RATES.get(algorithm, "lr=0.003 critic_lr=0.003")
    subject = harness.experiment(algorithm, "matrix_games", f"{game} rnn_hidden_dim=16 {own}")
    for _ in range(40):
        subject.trainer.iterate()
    assert subject.evaluate()["test_return_mean"] == 10
