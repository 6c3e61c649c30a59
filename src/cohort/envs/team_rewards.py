"""Whether a team whose members earn rewards of their own is paid those, or one reward for all.

Worker processes of foreign games read this module, so that it does not import torch.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cohort.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor


class TeamRewardSettings(Settings):
    """Settings where every agent earns a reward of its own."""

    common_reward: bool = Field(True, description="One reward for the team; False: every agent has its own.")
    reward_scalarisation: Literal["sum", "mean"] = Field(
        "sum", description="With common_reward: how the agents' rewards become the team's."
    )


def pay(earned: "Tensor", settings: TeamRewardSettings) -> "Tensor":
    """What the agents' own rewards [B, N] are paid as: themselves, or [B] for the team."""
    if not settings.common_reward:
        return earned
    return earned.sum(1) if settings.reward_scalarisation == "sum" else earned.mean(1)
