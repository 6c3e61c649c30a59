"""A batch of methods that learn from old episodes and from recent ones in one update."""

from typing import NamedTuple

from cohort.components.episodes import Episodes


class MixedBatch(NamedTuple):
    """What one update reads of a replay memory."""

    replayed: Episodes  # drawn from all that are held
    recent: Episodes  # drawn from the most recent ones
    latest: Episodes  # the last ones that were played
