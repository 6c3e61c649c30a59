"""`python -m benchmarks.solvability --map 6h_vs_8z`: can this map be won in the simulator?

Two probes, each of which sees the whole battle and acts by SMAC's available actions only:
  rule    one reactive rule per type of agent is tuned on battles, then tried in fresh ones;
  search  every two steps, plans are rolled out in copies of the true battle; the copies draw other weapon jitter.
A win of either is proof; its absence is not. `--how both` lets the search plan with the tuned rule, too.
The results are appended to `--out` as one JSON line per probe.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor

from benchmarks.solvability_reactive import Tuning, tune, win_rate
from benchmarks.solvability_rules import NAMES, Rules
from benchmarks.solvability_search import Effort, Search, play
from cohort.components.process import prepare_process
from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.planes import HEALTH
from cohort.envs.sc2_sim.settings import SC2SimSettings

_TRIALS = 256  # fresh battles in which a tuned rule is tried
_OTHER_SEED = 1 << 32  # seeds of the probes lie this far from those of the true battles


def main() -> None:
    options = parse()
    prepare_process(1)
    given = dict(options.set)
    settings = SC2SimSettings(map_name=options.map, **given)
    task = {"map": options.map, "settings": given, "seed": options.seed}
    tuned = None
    if options.how in ("rule", "both"):
        tuned, record = probe_by_rule(settings, effort_of(Tuning, options), options.seed)
        write(options.out, task | record)
    if options.how in ("search", "both"):
        record = probe_by_search(settings, effort_of(Effort, options), options.battles, options.seed, tuned)
        write(options.out, task | record)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--map", default="5m_vs_6m")
    parser.add_argument("--how", choices=["rule", "search", "both"], default="both")
    parser.add_argument("--battles", type=int, default=4, help="battles that are searched, side by side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--set", nargs="*", default=[], type=pair, metavar="KEY=VALUE", help="settings of the simulator"
    )
    parser.add_argument("--out", type=Path, help="file to append results to")
    for kind in (Tuning, Effort):
        group = parser.add_argument_group(kind.__doc__.split(".")[0])
        for name, value in asdict(kind()).items():
            label = option(kind, name)
            group.add_argument(f"--{label}", type=type(value), default=value, help=f"default {value}")
    return parser.parse_args()


def pair(word: str) -> tuple[str, Any]:
    """The key and the value of a setting as typed."""
    name, equals, value = word.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{word}' is no setting; type --set enemy_acquire_range=5")
    return name, yaml.safe_load(value)


def option(kind: type, name: str) -> str:
    """What a field of `Tuning` or `Effort` is called on the command line; both have some names."""
    return ("rule-" if kind is Tuning else "") + name.replace("_", "-")


def effort_of(kind: type, options: argparse.Namespace) -> Tuning | Effort:
    names = asdict(kind())
    return kind(**{name: getattr(options, option(kind, name).replace("-", "_")) for name in names})


def probe_by_rule(settings: SC2SimSettings, tuning: Tuning, seed: int) -> tuple[Tensor, dict]:
    """The best rule [types, D], and what to write down about it."""
    start = time.process_time()

    def report(number: int, worth: float, wins: float) -> None:
        line = f"round {number}: best worth {worth:.2f}, most wins {wins:.2f}"
        print(f"{line}, {time.process_time() - start:.0f} s", flush=True)

    rows = tune(settings, tuning, seed + _OTHER_SEED, report)
    rate = win_rate(settings, rows, _TRIALS, seed)
    seconds = time.process_time() - start
    print(
        f"{settings.map_name}: the rule wins {rate:.3f} of {_TRIALS} fresh battles ({seconds:.0f} s)",
        flush=True,
    )
    rule = [dict(zip(NAMES, (round(x, 3) for x in row), strict=True)) for row in rows.tolist()]
    return rows, {
        "probe": "rule",
        "effort": asdict(tuning),
        "cpu_seconds": round(seconds),
        "win_rate": rate,
        "battles": _TRIALS,
        "rule": rule,
    }


def probe_by_search(
    settings: SC2SimSettings, effort: Effort, battles: int, seed: int, tuned: Tensor | None = None
) -> dict:
    """Search `battles` battles; `tuned` [types, D] is a rule that plans may use."""
    start = time.process_time()
    true = SC2Sim(settings, battles, seed)
    if tuned is not None:
        tuned = tuned[Rules(true).kind]
    search = Search(settings, battles, effort, seed + _OTHER_SEED, tuned)

    def report(env: SC2Sim) -> None:
        alive = env.games.units[HEALTH] > 0
        n, step = env.spec.n_agents, int(env.games.t.max())
        if step % 8 < effort.block:
            sides = f"allies {alive[:, :n].sum(1).tolist()}, enemies {alive[:, n:].sum(1).tolist()}"
            print(f"step {step}: {sides}, {time.process_time() - start:.0f} s", flush=True)

    outcome = play(true, search, report)
    seconds = time.process_time() - start
    won = int(outcome["battle_won"].sum())
    print(f"{settings.map_name}: search wins {won} of {battles} battles ({seconds:.0f} s)", flush=True)
    return {
        "probe": "search",
        "with_rule": tuned is not None,
        "effort": asdict(effort),
        "horizon": effort.horizon,
        "cpu_seconds": round(seconds),
        "won": won,
        "battles": battles,
        **{name: value.tolist() for name, value in outcome.items()},
    }


def write(path: Path | None, record: dict) -> None:
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
