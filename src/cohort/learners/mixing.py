"""What learners that mix share: networks by their names, and the refusal of a mixer that reads something else."""

import inspect
from typing import Any, Protocol

from torch import nn


class Networks(Protocol):
    """Live networks, or targets, by their names: the same part serves both sides of a loss."""

    def __getitem__(self, name: str, /) -> Any: ...


class Prefixed:
    """The networks whose names begin with `prefix`, by the rest of their names."""

    def __init__(self, networks: Networks, prefix: str) -> None:
        self._networks, self._prefix = networks, prefix

    def __getitem__(self, name: str, /) -> Any:
        return self._networks[self._prefix + name]


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
