"""What a soak did, and what was lost in it."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts of one soak; `losses` are told in full."""

    faults: Counter = field(default_factory=Counter)
    families: Counter = field(default_factory=Counter)
    sessions: int = 0
    compared: int = 0  # runs, bit for bit, with one that was left alone
    databases: int = 0  # runs whose points in MongoDB were compared with their files
    losses: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        faults, families = (
            ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
            for counts in (self.faults, self.families)
        )
        lost = "".join(f"\nlost: {loss}" for loss in self.losses)
        return (
            f"{sum(self.faults.values())} faults ({faults or 'none'}) in {self.sessions} sessions; "
            f"{self.compared} runs compared bit for bit ({families}), {self.databases} with the database; "
            f"{len(self.losses)} losses{lost}"
        )
