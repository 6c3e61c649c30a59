"""Payoffs of matrix games, and what `run.py --list` says of them: data alone, so that a list needs no torch."""

from dataclasses import dataclass

Payoff = list | float | int


@dataclass(frozen=True)
class StageGames:
    """Matrix games of one shape. All agents move in stage 0; agent 0's action there leads to stage 1 + action.

    `payoffs[0]` is paid in stage 0. With one payoff the game ends there, with more it ends one step later.
    """

    summary: str
    payoffs: tuple[Payoff, ...]


GAMES = {
    "two_step": StageGames(
        "two agents, agent 1 first chooses between a sure 7 and a game that pays 8 to those who meet (QMIX paper)",
        ([[0, 0], [0, 0]], [[7, 7], [7, 7]], [[0, 1], [1, 8]]),
    ),
    "climbing": StageGames(
        "two agents, the best joint action 11 is surrounded by -30 (Claus and Boutilier 1998)",
        ([[11, -30, 0], [-30, 7, 6], [0, 0, 5]],),
    ),
    "penalty": StageGames(
        "two agents, two optima of 10 with penalties of -100 for missing each other (Claus and Boutilier 1998)",
        ([[-100, 0, 10], [0, 2, 0], [10, 0, -100]],),
    ),
    "nonmonotonic": StageGames(
        "two agents, 8 for both first actions, -12 for one alone: no monotonic mix can hold it (QTRAN paper)",
        ([[8, -12, -12], [-12, 0, 0], [-12, 0, 0]],),
    ),
}

# rewards of (agent 0, agent 1) for DD, DC, CD, CC: the first letter is agent 0's (Meta-MAPG, Table 1)
PRISONERS_DILEMMA = ((-0.5, -0.5), (1.5, -1.5), (-1.5, 1.5), (0.5, 0.5))


def describe_matrix_games() -> dict[str, str]:
    """Each game's name and a sentence on it."""
    return {name: game.summary for name, game in GAMES.items()} | {
        "custom": "the payoff tensor in env_args.payoff"
    }


def describe_repeated_games() -> dict[str, str]:
    """Each game's name and a sentence on it."""
    return {
        "ipd": "iterated prisoner's dilemma, two agents (Meta-MAPG, Table 1)",
        "rps": "iterated rock-paper-scissors, env_args.n_agents=2, 3 or 4 (Meta-MAPG, Table 2)",
    }
