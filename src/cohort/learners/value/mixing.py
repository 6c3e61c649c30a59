"""How the agents' utilities become joint values: parts that a value learner owns.

`networks` and `targets` are looked up by name, so that the same part serves the live side and the target side.
"""

import inspect
from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from cohort.components.episodes import Episodes


class Networks(Protocol):
    """Live networks, or targets, by their names."""

    def __getitem__(self, name: str, /) -> Any: ...


class Mixing(Protocol):
    """What a value learner asks of the part that mixes."""

    networks: Mapping[str, nn.Module]  # what it brings to the learner's networks

    def joint(self, networks: Networks, chosen: Tensor, episodes: Episodes, inputs: Tensor) -> Tensor:
        """Values of the taken actions: utilities [B, T, N], the policy's inputs [B, T+1, N, I] -> [B, T, J]."""

    def next_joint(self, targets: Networks, chosen: Tensor, episodes: Episodes, inputs: Tensor) -> Tensor:
        """Values one step later: utilities [B, T, N] of the next actions -> [B, T, J]."""


class StateMixing:
    """A mixer that reads utilities and the state: IQL, VDN, QMIX."""

    def __init__(self, mixer: nn.Module) -> None:
        refuse_other_mixer(mixer, ("utilities", "state"))
        self.networks = {"mixer": mixer}

    def joint(self, networks: Networks, chosen: Tensor, episodes: Episodes, inputs: Tensor) -> Tensor:
        return networks["mixer"](chosen, episodes.state[:, :-1])

    def next_joint(self, targets: Networks, chosen: Tensor, episodes: Episodes, inputs: Tensor) -> Tensor:
        return targets["mixer"](chosen, episodes.state[:, 1:])


def refuse_other_mixer(mixer: nn.Module, inputs: tuple[str, ...]) -> None:
    """Raises `ValueError` when `mixer` does not read just these `inputs`."""
    reads = inspect.signature(mixer.forward)
    try:
        reads.bind(*inputs)
    except TypeError as error:
        raise ValueError(
            f"this learner gives its mixer {', '.join(inputs)}; {type(mixer).__name__} reads "
            f"{', '.join(reads.parameters)}. Choose another mixer, or another learner."
        ) from error
