"""MNMPG: *Credit Assignment with Meta-Policy Gradient for Multi-Agent Reinforcement Learning*."""

from papers.paper import Paper

PAPER = Paper(
    figures={
        "2": ("figures:super_hard", "win rates on the five super hard maps and 5m_vs_6m, in our simulator"),
        "2_sc2": ("figures:super_hard_sc2", "the same in the real StarCraft II"),
        "3": ("visitation_figure:visited", "6h_vs_8z: where greedy teams go; plays models of the runs"),
        "4": ("figures:roles", "corridor: MNMPG's mixer in RODE"),
        "4_sc2": ("figures:roles_sc2", "the same in the real StarCraft II"),
        "5": ("figures:ablation", "6h_vs_8z: ablations"),
        "5_sc2": ("figures:ablation_sc2", "the same in the real StarCraft II"),
        "b1": ("figures:hard", "win rates on the four hard maps"),
        "b1_sc2": ("figures:hard_sc2", "the same in the real StarCraft II"),
        "b2": ("figures:easy", "win rates on four easy maps"),
        "b2_sc2": ("figures:easy_sc2", "the same in the real StarCraft II"),
        "controls": ("figures:controls", "not in the paper: what of MNMPG is the meta gradient's"),
    },
    tables={
        "3": ("visitation_figure:table", "figure 3 in numbers: entropy and mean distance of states"),
        "exercise": (
            "exercise:table",
            "not in the paper: what exercise moves do; plays on from a run's checkpoint",
        ),
    },
    claims=("claims:claims", "fourteen claims about figures 2 to 5, B.1 and B.2"),
)
