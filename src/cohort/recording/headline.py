"""The metrics a run is judged by, in the order in which they are preferred."""

from collections.abc import Mapping

LABELS = {
    "test_battle_won_mean": "test win rate",
    "test_return_mean": "test return",
    "return_mean": "return",
}
_RESULTS = ("test_battle_won_mean", "test_return_mean", "battle_won_mean", "return_mean")


def headline(latest: Mapping[str, float]) -> tuple[str, float] | None:
    """The label and value of the best-suited metric among the latest values; None while there is none."""
    for name, label in LABELS.items():
        if name in latest:
            return label, latest[name]
    return None


def results(latest: Mapping[str, float]) -> dict[str, float]:
    """What a finished run is summed up by: the last win rates and returns, under their metric names."""
    return {name: latest[name] for name in _RESULTS if name in latest}
