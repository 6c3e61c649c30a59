"""ADER: *An Adaptive Entropy-Regularization Framework for Multi-Agent Reinforcement Learning* (ICML 2023)."""

from papers.paper import Paper

PAPER = Paper(
    figures={
        "1": ("game:surface", "the continuous matrix game's reward; needs no runs"),
        "2": ("figures:matrix_game", "the continuous matrix game: returns, and ADER's target entropies"),
        "3": ("figures:smac", "sparse SMAC in our simulator: win rates on eight maps"),
        "3_sc2": ("figures:smac_sc2", "the same in the real StarCraft II"),
        "4": ("figures:continuous", "six-agent HalfCheetah and heterogeneous predator-prey"),
        "5": ("figures:ablation", "ablations on sparse SMAC in our simulator"),
        "5_sc2": ("figures:ablation_sc2", "the same in the real StarCraft II"),
    },
    claims=("claims:claims", "eleven claims about figures 2 to 5"),
)
