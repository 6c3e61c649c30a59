"""Which differences between runs forbid a comparison, or forbid counting them as seeds of one curve."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from cohort.analysis.runs import Run
from cohort.errors import UserError

# Keys that say how a run is recorded or computed, not what is learned. Seeds of one curve may differ in them.
NOT_THE_METHOD = frozenset(
    (
        *("seed", "label", "t_max", "local_results_path", "use_tensorboard"),
        *("use_cuda", "torch_threads", "native_code", "seeds_at_once"),
        *("checkpoint_interval", "save_model", "save_model_interval", "log_interval", "test_interval"),
        *("buffer_cpu_only", "save_replay", "replay_format", "replay_agent", "load_step", "mongo_database"),
        *("use_wandb", "wandb_project", "wandb_team", "wandb_mode"),
        *("save_best", "chains_at_once", "when_diverged"),
    )
)
# What runs did that are older than a key.
BEFORE = {"transfer_from": "", "test_greedy": True}
# Arguments of environments that do not change the game.
NOT_THE_GAME = frozenset(
    (
        *("map_name", "seed", "compile", "debug", "replay_dir", "replay_prefix"),
        *("window_size_x", "window_size_y", "launch_seconds", "reset_seconds", "step_seconds"),
    )
)
MARKED_KEYS = (
    "batch_size_run",
    "test_nepisode",
    "test_greedy",
)  # worth a note between methods, no reason to refuse
VALUES = 5  # of one difference that a message lists
UPDATES_TOLERANCE = 1.1  # greatest ratio of updates per episode that counts as the same


@dataclass(frozen=True)
class Difference:
    """One thing in which runs differ: each value with the runs that have it."""

    what: str
    runs: dict[str, list[str]]

    def text(self) -> str:
        """One line for each value."""
        lines = [f"{self.what}:"]
        for value, names in list(self.runs.items())[:VALUES]:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            lines.append(f"  {value}: {shown}")
        if len(self.runs) > VALUES:
            lines.append(f"  and {len(self.runs) - VALUES} more values")
        return "\n".join(lines)

    def short(self) -> str:
        """All values in one line."""
        return f"{self.what}: {' / '.join(self.runs)}"


def between_curves(runs: Sequence[Run], varied: Collection[str] = ()) -> list[Difference]:
    """Differences that forbid comparing `runs` of one map: in the game, or in the number of updates per episode.

    What a run's record lacks does not count as different. `varied` are the keys that are compared on purpose.
    """
    found = []
    for fact in _keys(run.facts for run in runs):
        found += _difference(f"the game's {fact}", runs, [run.facts.get(fact) for run in runs])
    for key in _keys(run.flat_config for run in runs):
        if key.startswith("env_args.") and key.partition(".")[2] not in NOT_THE_GAME and key not in varied:
            values = [_shown(run.flat_config[key]) if key in run.flat_config else None for run in runs]
            found += _difference(key, runs, values)
    if "updates_per_episode" not in varied:
        found += _updates(runs)
    return found


def within_curve(runs: Sequence[Run]) -> list[Difference]:
    """Differences that forbid counting `runs` as seeds of one method: in the configuration, or the same seed twice."""
    found = _difference("method", runs, [run.method for run in runs])
    for key in _keys(run.flat_config for run in runs):
        if found and found[0].what == "method":
            break  # two methods differ in dozens of keys, which would hide this
        if key not in NOT_THE_METHOD and not key.startswith("env_args."):
            found += _difference(key, runs, [_had(run, key) for run in runs])
    seeds: dict[tuple[str, object], list[str]] = defaultdict(list)
    for run in runs:
        seeds[run.map_name, run.seed].append(run.name)
    twice = {f"seed {seed}": names for (_, seed), names in seeds.items() if len(names) > 1}
    return [*found, Difference("the same seed twice", twice)] if twice else found


def worth_a_note(runs: Sequence[Run]) -> list[Difference]:
    """Differences that forbid no comparison but are reported: in the commit, in how games are played or tested."""
    found = _difference("commit", runs, [_commit(run) for run in runs])
    for key in MARKED_KEYS:
        found += _difference(key, runs, [_had(run, key) for run in runs])
    unknown = [run.name for run in runs if run.updates_per_episode is None]
    if unknown and len(unknown) < len(runs):
        found.append(Difference("updates per episode", {"not on record": unknown}))
    return found


def refuse(differences: Sequence[Difference], where: str, remedy: str) -> None:
    """Refuse runs that differ.

    Raises:
        UserError: there are differences; the message names the runs and what to type.
    """
    if differences:
        shown = "\n".join(difference.text() for difference in differences[:4])
        more = f"\n... and {len(differences) - 4} more differences" if len(differences) > 4 else ""
        raise UserError(f"{where} differ in\n{shown}{more}\n{remedy}")


def _commit(run: Run) -> str | None:
    if not run.git.get("commit"):
        return None
    return run.git["commit"][:7] + (
        f" with changes {run.git.get('diff_hash')}" if run.git.get("dirty") else ""
    )


def _difference(what: str, runs: Sequence[Run], values: Sequence[str | None]) -> list[Difference]:
    groups: dict[str, list[str]] = {}
    for run, value in zip(runs, values, strict=True):
        if value is not None:
            groups.setdefault(value, []).append(run.name)
    return [Difference(what, groups)] if len(groups) > 1 else []


def _updates(runs: Sequence[Run]) -> list[Difference]:
    """Updates per episode as measured, not as configured."""
    known = sorted(
        (run for run in runs if run.updates_per_episode), key=lambda run: run.updates_per_episode or 0.0
    )
    groups: list[list[Run]] = []
    for run in known:
        if groups and run.updates_per_episode <= UPDATES_TOLERANCE * groups[-1][0].updates_per_episode:
            groups[-1].append(run)
        else:
            groups.append([run])
    if len(groups) < 2:
        return []
    named = {f"about {group[0].updates_per_episode:.3g}": [run.name for run in group] for group in groups}
    return [Difference("updates per episode", named)]


def _keys(mappings: Iterable[dict]) -> list[str]:
    return sorted({key for mapping in mappings for key in mapping})


def _had(run: Run, key: str) -> str:
    return _shown(run.flat_config.get(key, BEFORE.get(key, "no such key")))


def _shown(value: object) -> str:
    return str(value) if value != "" else '""'
