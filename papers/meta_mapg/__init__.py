"""Meta-MAPG: *A Policy Gradient Algorithm for Learning to Learn in Multiagent Reinforcement Learning* (ICLR 2021)."""

from itertools import product

from papers.paper import Paper

_GAMES = ("prisoner's dilemma", "rock-paper-scissors")
_METHODS = ("Meta-PG", "LOLA-DiCE", "REINFORCE", "Meta-MAPG")

PAPER = Paper(
    figures={
        "2": ("figures:adaptation", "adaptation at meta-testing, in all games"),
        "3a": ("figures:trajectories", "AUC over the matches between two updates"),
        "3bc": ("peers:personas", "personas in and out of distribution"),
        "4a": ("figures:modelling", "AUC with opponent modelling"),
        "4b": ("figures:players", "AUC with 3 and 4 agents"),
        "4c": ("figures:ablation", "own learning and peer learning left out"),
        "7": ("peers:teammates", "the teammates of HalfCheetah, by their splits"),
        "8": ("example:paths", "learning paths in example 1; needs no runs"),
        **{
            str(number): (
                f"figures:actions_{number}",
                f"action probabilities of {method} and its peers, {game}",
            )
            for number, (game, method) in enumerate(product(_GAMES, _METHODS), start=9)
        },
    },
    tables={"q3": ("tables:distributions", "AUC in and out of distribution")},
    claims=("claims:claims", "eighteen claims about figures 2 to 4 and 9 to 16"),
)
