"""`run.py policy`: what a run has learned, as one file that plays without this program."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from cohort.arguments import Parser
from cohort.components.process import prepare_process
from cohort.configuration.task import task_name
from cohort.policy import Policy, load_policy
from cohort.portable.check import GAMES, STEPS, largest_difference
from cohort.portable.formats import FORMATS, record
from cohort.portable.team import PAST, Port, PortableTeam
from cohort.recording.files import replace_atomically, write_text_atomically
from cohort.recording.folder import RunFolder, open_run_folder, place_named
from cohort.recording.sessions import read_sessions

EXAMPLES = """examples:
  run.py policy results/RUN_FOLDER --to=onnx
  run.py policy 3m__seed1 --to=torch --best --out policy.pt2"""


def main(words: Sequence[str]) -> int:
    """Write a run's greedy policy into a file, with its description beside it; the exit status."""
    options = _parse(words)
    prepare_process(1)
    kind = FORMATS[options.to]()
    folder = open_run_folder(place_named(options.run))
    policy = load_policy(folder.root, options.step, best=options.best)
    portable = PortableTeam(policy.team).eval()
    path = options.out or folder.policies / f"step{policy.step}{kind.suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = kind.content(portable, record(portable))
    trial = path.with_name(f".{path.name}.trial{kind.suffix}")
    try:
        trial.write_bytes(content)
        difference = largest_difference(policy, portable, kind.player(trial))
    finally:
        trial.unlink(missing_ok=True)
    replace_atomically(path, lambda file: file.write(content))
    description = path.with_name(f"{path.name}.json")
    text = json.dumps(describe(policy, portable, folder, path.name, options.to), indent=1)
    write_text_atomically(description, text + "\n")
    print(f"policy: {path} ({len(content) / 1000:,.0f} kB), greedy, of step {policy.step:,}")
    print(f"description: {description}")
    print(
        f"checked: {STEPS} steps of {GAMES} games beside the run's networks, they differ by {difference:.1e}"
    )
    return 0


def describe(
    policy: Policy, portable: PortableTeam, folder: RunFolder, file: str, kind: str
) -> dict[str, Any]:
    """What somebody needs to play the file, and where it comes from."""
    config = policy.plan.plain_config()
    return {
        "file": file,
        "format": kind,
        "torch": torch.__version__,
        "method": config["name"],
        "environment": config["env"],
        "task": task_name(config),
        "env_args": config["env_args"],
        "seed": config["seed"],
        "run": folder.name,
        "commit": _commit(folder),
        "step": policy.step,
        "policy_average": config.get("policy_average", 0.0),
        "values": portable.team.head.policy_kind,
        "inputs": [_described(port) for port in portable.inputs],
        "outputs": [_described(port) for port in portable.outputs],
        "memory": [
            {"input": each.port.name, "output": PAST + each.port.name, "initial": each.initial}
            for each in portable.memory
        ],
    }


def _described(port: Port) -> dict[str, Any]:
    dtype = str(port.dtype).removeprefix("torch.")
    return {"name": port.name, "dtype": dtype, "shape": ["batch", *port.shape]}


def _commit(folder: RunFolder) -> str | None:
    """Of the code that the run was last trained with."""
    try:
        git = read_sessions(folder.provenance.read_bytes())[-1]["git"]
        return git["commit"] + ("+changes" if git.get("dirty") else "")
    except (OSError, KeyError, IndexError, TypeError):
        return None


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = Parser("policy", "Writes a run's greedy policy as a file that other programs play.", EXAMPLES)
    parser.add_argument("run", type=Path, help="a run folder, or a part of a name in results/")
    parser.add_argument(
        "--to", choices=sorted(FORMATS), required=True, help="onnx: ONNX; torch: torch.export"
    )
    parser.add_argument(
        "--step", type=int, default=0, help="the saved model nearest to this step; 0 is the last"
    )
    parser.add_argument("--best", action="store_true", help="the best model instead, kept with save_best")
    parser.add_argument("--out", type=Path, help="the file to write; otherwise in the run's policies folder")
    return parser.parse(words)
