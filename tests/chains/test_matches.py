"""Playing by what everybody would do in every state, and by one state at a time, are the same matches."""

import pytest
import torch

from cohort.chains import matches
from cohort.envs.repeated_games import (
    RepeatedGame,
    RepeatedRollout,
    prisoners_dilemma,
    rock_paper_scissors,
)
from cohort.modules.policies.lstm import LSTMPolicy
from cohort.modules.policies.table import TablePolicy

STEPS = 23


def played(game: RepeatedGame, chains: int, recurrent: bool = False) -> matches.Matches:
    draws = torch.Generator().manual_seed(5)
    peer = TablePolicy(game.n_states, game.n_actions)
    first = LSTMPolicy(game.n_states, game.n_actions, 4) if recurrent else peer
    policies = [first, *[peer] * (game.n_agents - 1)]
    params = [
        {name: torch.randn(chains, *each.shape, generator=draws) for name, each in one.initial(draws).items()}
        for one in policies
    ]
    return matches.play_matches(game, policies, params, game.chance((chains, 7), STEPS, draws))


@pytest.mark.parametrize("chains", [1, 3])
@pytest.mark.parametrize("steps_at_once", [1, 4, STEPS, 1000])
@pytest.mark.parametrize(
    "game", [prisoners_dilemma(), rock_paper_scissors(2), rock_paper_scissors(3)], ids=["ipd", "rps2", "rps3"]
)
def test_tables_play_many_steps_at_once_as_they_play_one(monkeypatch, game, steps_at_once, chains):
    monkeypatch.setattr(matches, "FEWEST_STEPS", 1000 * STEPS)
    step_by_step = played(game, chains)
    monkeypatch.setattr(matches, "FEWEST_STEPS", 1)
    monkeypatch.setattr(matches, "ANSWERS_AT_ONCE", steps_at_once * chains * 7 * game.n_states)
    monkeypatch.setattr(RepeatedRollout, "step", None)  # never asked
    at_once = played(game, chains)
    for mine, reference in zip(at_once[:3], step_by_step[:3], strict=True):
        assert torch.equal(mine, reference)
    assert step_by_step.states.unique().numel() == game.n_states  # all states were met


def test_who_remembers_is_asked_step_by_step(monkeypatch):
    monkeypatch.setattr(RepeatedRollout, "follow", None)
    assert played(prisoners_dilemma(), 2, recurrent=True).states.shape == (2, 7, STEPS)
