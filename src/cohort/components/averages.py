"""Metrics between two log lines, kept on the device until somebody wants to read them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cohort.components.episodes import Episodes
from cohort.components.sides import Side

Metrics = dict[str, Tensor]


class RunningAverages:
    """The mean of each metric since the last `flush`. Adding never waits for the device."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, metrics: Mapping[str, Tensor]) -> None:
        for name, value in metrics.items():
            value = torch.as_tensor(value, dtype=torch.float64).detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def flush(self) -> dict[str, float]:
        """The means as numbers; starts afresh."""
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means

    def state_dict(self) -> dict[str, dict]:
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, dict]) -> None:
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])


class EpisodeStatistics:
    """PyMARL's episode metrics: `return_mean`, `return_std`, `ep_length_mean` and `<outcome>_mean`.

    Where agents have rewards of their own, `return_mean` is their sum, and EPyMARL's `agent_0_return_mean` and so on
    are each agent's own.

    A game with sides has each side's `<side>/return_mean` besides.
    """

    def __init__(self, sides: Sequence[Side] = ()) -> None:
        self._sides = tuple(sides)
        self._values: dict[str, list[Tensor]] = {}

    def add(self, episodes: Episodes) -> None:
        per_episode = {"return": episodes.returns, "ep_length": episodes.length, **episodes.info}
        if episodes.reward.dim() == 3:  # [B, T, N]
            per_episode |= dict(
                zip(_own(episodes.reward.shape[2]), episodes.reward.sum(1).unbind(1), strict=True)
            )
        per_episode |= {f"{side.name}/return": side.returns(episodes) for side in self._sides}
        for name, values in per_episode.items():
            self._values.setdefault(name, []).append(values.to(torch.float64))

    def flush(self, prefix: str = "") -> dict[str, float]:
        """The metrics as numbers, each name behind `prefix`; starts afresh."""
        merged = {name: torch.cat([each.cpu() for each in values]) for name, values in self._values.items()}
        self._values = {}
        of_sides = {f"{side.name}/return": _of_side(side, prefix) for side in self._sides}
        metrics = {
            of_sides.get(name, f"{prefix}{name}_mean"): float(values.mean())
            for name, values in merged.items()
        }
        if "return" in merged:
            metrics[f"{prefix}return_std"] = float(merged["return"].std(correction=0))
        return metrics

    @staticmethod
    def names(
        info_keys: Sequence[str], own_returns: int = 0, sides: Sequence[Side] = (), prefix: str = ""
    ) -> tuple[str, ...]:
        """Those that `flush` gives of episodes with these outcomes, and so many agents with rewards of their own."""
        means = (f"{prefix}{name}_mean" for name in ("return", "ep_length", *info_keys, *_own(own_returns)))
        return (*means, f"{prefix}return_std", *(_of_side(side, prefix) for side in sides))

    def state_dict(self) -> dict[str, list[Tensor]]:
        return {name: list(values) for name, values in self._values.items()}

    def load_state_dict(self, state: Mapping[str, list[Tensor]]) -> None:
        self._values = {name: list(values) for name, values in state.items()}


def _own(n_agents: int) -> list[str]:
    return [f"agent_{i}_return" for i in range(n_agents)]


def _of_side(side: Side, prefix: str) -> str:
    """As `prey/test_return_mean`."""
    return f"{side.name}/{prefix}return_mean"
