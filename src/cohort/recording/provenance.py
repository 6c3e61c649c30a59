"""Where a run comes from: code, versions, machine, and what was typed."""

import hashlib
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from cohort.recording.credentials import without_credentials
from cohort.recording.files import write_text_atomically
from cohort.recording.folder import RunFolder

_PACKAGES = (
    *(
        "cohort",
        "torch",
        "numpy",
        "sacred",
        "setuptools",
        "pydantic",
        "PyYAML",
        "rich",
        "matplotlib",
        "tensorboard",
        "optuna",
        "wandb",
    ),
    *(
        "pymongo",
        "gymnasium",
        "pettingzoo",
        "mpe2",
        "vmas",
        "gymnasium-robotics",
        "mujoco",
        "ray",
        "s2clientprotocol",
        "pysc2",
        "smac",
    ),
)
# of docker/Dockerfile: the commit's name, with -dirty behind it where files differed; the remote
COMMIT_FILE = "COMMIT"
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_SOURCES = ("*.py", "*.yaml", "*.yml")


def typed_command(argv: Sequence[str] | None = None) -> str:
    """What was typed to start this process, ready to be typed again, without passwords."""
    started, *words = [without_credentials(word) for word in (sys.argv if argv is None else argv)]
    if Path(started).name == "cohort":
        return shlex.join(["cohort", *words])
    return "python " + shlex.join([started, *words])


def collect_provenance(command: str, package: Path, config: Path) -> dict[str, Any]:
    """Everything that tells this session from another. Never fails: what cannot be found out is None.

    Args:
        command: what was typed.
        package: the folder of the code, `src/cohort` in a checkout.
        config: the folder of the YAML, beside the code in a checkout and in it where the package is installed.
    """
    return {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": without_credentials(command),
        "git": git_state(package.parents[1]) or stated_commit(package.parents[1]),
        "source_hash": source_hash(package, config),
        "python": platform.python_version(),
        "packages": _versions(),
        "platform": platform.platform(),
        "hostname": platform.node(),
        "cpu": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "cpu_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpus": _gpus(),
        "torch_threads": torch.get_num_threads(),
    }


def write_provenance(folder: RunFolder, provenance: dict[str, Any]) -> None:
    """Add this session to `provenance.json` (`{"sessions": [first, ..., this]}`) and `command.txt`."""
    try:
        sessions = json.loads(folder.provenance.read_text())["sessions"]
    except (OSError, ValueError, KeyError, TypeError):
        sessions = []  # the first session, or a file that someone damaged: not worth failing a run
    content = {"sessions": [*sessions, provenance]}
    write_text_atomically(folder.provenance, json.dumps(content, indent=2) + "\n")
    with open(folder.command, "a", encoding="utf-8") as file:
        file.write(provenance["command"] + "\n")


def git_state(repository: Path) -> dict[str, Any] | None:
    """Remote, commit, whether files differ from it, a short hash of the difference; None outside a checkout.

    A copy of the sources that merely lies somewhere below another repository is outside, and so is an installed
    package: `src/cohort` must be part of the commit.
    """
    commit = _git(repository, "rev-parse", "HEAD")
    if commit is None or _git(repository, "rev-parse", "HEAD:./src/cohort") is None:
        return None
    changed = _git(repository, "status", "--porcelain", "--", ".")
    diff = _git(repository, "diff", "HEAD", "--", ".")
    return {
        "url": _url(repository),
        "commit": commit.decode().strip(),
        "dirty": bool(changed),
        "diff_hash": hashlib.sha256(diff).hexdigest()[:12] if diff else None,
    }


def stated_commit(root: Path) -> dict[str, Any] | None:
    """`git_state` of sources without .git, from the file that a container's build leaves beside them; else None."""
    try:
        commit, url, *_ = [*(root / COMMIT_FILE).read_text(encoding="utf-8").splitlines(), "", ""]
    except (OSError, ValueError):
        return None
    name, _, state = commit.strip().partition("-")
    if not _COMMIT.fullmatch(name) or state not in ("", "dirty"):
        return None
    return {
        "url": without_credentials(url.strip()) or None,
        "commit": name,
        "dirty": state == "dirty",
        "diff_hash": None,
    }


def _url(repository: Path) -> str:
    """The remote that the checkout follows, else the checkout itself, as Sacred says it."""
    remote = _git(repository, "config", "--get", "remote.origin.url")
    return without_credentials(remote.decode().strip()) if remote else f"git:/{repository}"


def source_hash(*folders: Path) -> str:
    """A hash of the names and contents of all source and YAML files below `folders`.

    A later folder may lie beside an earlier one or in it: the hash is the same.
    """
    names = {
        path: (folder.name + "/" + path.relative_to(folder).as_posix())
        for folder in folders
        for pattern in _SOURCES
        for path in folder.rglob(pattern)
    }
    digest = hashlib.sha256()
    for path, name in sorted(names.items(), key=lambda item: item[1]):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _git(repository: Path, *arguments: str) -> bytes | None:
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}  # looking must not disturb a commit under way
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=environment,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cpu_model() -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or None


def _gpus() -> list[str]:
    try:
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    except (RuntimeError, AssertionError):  # a driver that does not fit: the run may still want the CPU
        return []
