"""MAMT: *Dealing with Non-Stationarity in MARL via Trust-Region Decomposition* (ICLR 2022)."""

from papers.paper import Paper

PAPER = Paper(
    figures={
        "2": ("figures:learning_curves", "learning curves in all four tasks"),
        "3": (
            "figures:divergence",
            "how far policies move, MAAC against MAMT, and the non-stationarity D_ns",
        ),
        "4": ("figures:trust_regions", "trust regions of each agent: mean and deviation over a run"),
        "4_time": ("figures:trust_regions_in_time", "the same over episodes; not in the paper"),
        "5": (
            "figures:coordination",
            "coordination coefficients of each pair: mean and deviation over a run",
        ),
        "8": ("figures:decompositions", "learning curves of three decompositions in Spread-3"),
        "9": ("figures:attention", "attention weights in the runs of figure 8"),
    },
    tables={
        "2": ("tables:budget", "the share of updates with all trust regions within the budget"),
        "10": ("tables:returns", "returns of all methods in all tasks, beside the paper's"),
        "assignments": (
            "assignments:table",
            "not in the paper: who covers which landmark in Spread; plays policies of runs",
        ),
    },
    claims=("claims:claims", "sixteen claims, and three checks of noise"),
)
