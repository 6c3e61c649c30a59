"""AdaMa: *Adaptive Learning Rates for Multi-Agent Reinforcement Learning* (submitted to ICLR 2021)."""

from papers.paper import Paper

PAPER = Paper(
    figures={
        "3": ("figures:learning_curves", "learning curves in the four scenarios"),
        "4": ("figures:directions", "actors' shares in their learning rate, single runs"),
        "5": ("figures:magnitudes", "learning rates of critic and actors, single runs"),
        "6": ("figures:second_order", "learning curves with the second order"),
        "7": ("figures:scales", "predator-prey with different m, and D over a run"),
    },
    tables={
        "stability": (
            "tables:stability",
            "shares of runs that diverged, and l_c times the critic's curvature",
        ),
        "search": ("tables:search", "fixed rates of a search, best first; of a folder of its own"),
    },
    claims=("claims:claims", "ten claims about figures 3 to 7"),
)
