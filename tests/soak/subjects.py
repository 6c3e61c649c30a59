"""What is soaked: tiny runs of every family, and of games in worker processes."""

from dataclasses import dataclass
from pathlib import Path

from tests import harness

OFTEN = "test_interval=200 log_interval=50 checkpoint_interval=100"
META = (
    "chains=2 trajectories=4 chain_length=2 rnn_hidden_dim=8 personas_train=4 personas_validation=2 personas_test=2 "
    "env_args.episode_limit=10 test_interval=2000 log_interval=500 checkpoint_interval=500 t_max=20000"
)
META_METHODS = ("meta_mapg", "meta_mapg_om", "reinforce", "lola_dice")
WORKERS = "env: tests.soak.games:ShakenWalks\nenv_args: {}\n"


@dataclass(frozen=True)
class Subject:
    """A run to be harmed."""

    algorithm: str
    env: str
    keys: str

    def words(self, results: Path) -> list[str]:
        return [f"--config={self.algorithm}", f"--env-config={self.env}", "with", *self.keys.split(),
                f"local_results_path={results}"]  # fmt: skip

    @property
    def has_workers(self) -> bool:
        return self.env.endswith(".yaml")

    def __str__(self) -> str:
        return f"{self.algorithm} {Path(self.env).stem}"


def subjects(place: Path) -> list[Subject]:
    """All of them; `place` is for files that they need."""
    workers = place / "shaken_walks.yaml"
    workers.write_text(WORKERS)
    pairs = [*harness.PAIRS, *((algorithm, str(workers)) for algorithm in ("qmix", "mappo", "maac"))]
    found = []
    for algorithm, env in pairs:
        keys = harness.words(algorithm, env)[3:]
        found.append(
            Subject(algorithm, env, f"{' '.join(keys)} {OFTEN} t_max={1600 if 'matrix' in env else 1200}")
        )
    found += [Subject(algorithm, "ipd", f"use_cuda=False {META}") for algorithm in META_METHODS]
    return found
