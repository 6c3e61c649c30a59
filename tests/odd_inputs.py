"""What nobody should type and no disk should hold: command lines, files, queries and run folders, drawn with a seed."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

ALGORITHMS = (
    "qmix",
    "mnmpg",
    "mappo",
    "maac",
    "ader",
    "adama",
    "meta_mapg",
    "dop",
    "quimx",
    "",
    "-",
    "a/b",
    "../qmix",
)
ENVIRONMENTS = (
    "matrix_games",
    "sc2_sim",
    "ipd",
    "predator_prey",
    "pettingzoo",
    "sc2sim",
    "",
    "\u200b",
    "env\nconfig",
)
KEYS = (
    *(
        "seed",
        "t_max",
        "lr",
        "batch_size",
        "buffer_size",
        "gamma",
        "mixer",
        "learner",
        "env_args",
        "label",
        "name",
    ),
    *(
        "env_args.map_name",
        "env_args.step_mul",
        "env_args.",
        ".",
        "on",
        "extends",
        "test_nepisode",
        "tmax",
        "q" * 300,
    ),
    *(
        "use_cuda",
        "local_results_path",
        "checkpoint_path",
        "updates_per_episode",
        "replay_agent",
        "hypernet_layers",
    ),
)
VALUES = (
    *(
        "0",
        "-1",
        "1e999",
        "nan",
        "inf",
        "-inf",
        "1_000",
        "0x10",
        "9" * 400,
        "1.5",
        "True",
        "None",
        "null",
        "''",
        '"',
    ),
    *(
        "[1,2",
        "[64, 64]",
        "{a: 1}",
        "{",
        "[[[[[[[[1]]]]]]]]",
        "a,b",
        "0..3",
        "3..0",
        "0..1e99",
        "..",
        "1..",
        "!!python/object",
    ),
    *(
        "3m",
        "8m",
        "tow_step",
        "qmix",
        "😀",
        "\u202e",
        "a" * 5000,
        "=",
        "==",
        "a=b",
        "~",
        "~nobody/x",
        "/dev/null",
        "\ttab",
    ),
)
OPTIONS = (
    "--list",
    "--help",
    "print_config",
    "--resume=",
    "--mongo=",
    "--dry-run",
    "--jobs=0",
    "--jobs=x",
    "--",
    "-h",
    "--configg",
)
QUERIES = (
    *(
        "seed",
        "status",
        "method",
        "lr",
        "metrics.return_mean",
        "env_args.map_name",
        "nothing",
        "t_env",
        "config.mixer",
    ),
    *(
        "=",
        "==",
        "<",
        ">=",
        "in",
        "and",
        "or",
        "not",
        "(",
        ")",
        ",",
        "'",
        '"',
        "1",
        "-1",
        "1e400",
        "qmix",
        "a" * 300,
        "~",
        "*",
    ),
)


def command_lines(draw: random.Random) -> Iterator[list[str]]:
    """Command lines that are nearly right, or far from it; none that is right starts more than `print_config`."""
    while True:
        words = [
            f"--config={draw.choice(ALGORITHMS)}",
            f"--env-config={draw.choice(ENVIRONMENTS)}",
            "print_config",
        ]
        if draw.random() < 0.2:
            words.insert(draw.randrange(len(words) + 1), draw.choice(OPTIONS))
        if draw.random() < 0.2:
            words = [word for word in words if word == "print_config" or draw.random() < 0.5]
        pairs = [f"{draw.choice(KEYS)}={draw.choice(VALUES)}" for _ in range(draw.randrange(4))]
        if draw.random() < 0.1:
            pairs.append(draw.choice(VALUES))
        yield words + (["with", *pairs] if pairs else [])


def files(draw: random.Random, folder: Path) -> Iterator[list[str]]:
    """YAML files of one's own with whatever in them, as an algorithm or an environment."""
    number = 0
    while True:
        number += 1
        path = folder / f"mine{number}.yaml"
        lines = [f"{draw.choice(KEYS)}: {draw.choice(VALUES)}" for _ in range(draw.randrange(6))]
        content = "\n".join(
            [draw.choice(("extends: qmix", "env: matrix_games", "", "extends: [qmix, vdn]", "- 1")), *lines]
        )
        path.write_bytes(content.encode("utf-8", "surrogatepass")[: draw.choice((None, None, 7))])
        if draw.random() < 0.1:
            path.write_bytes(draw.randbytes(200))
        sides = [f"--config={path}", "--env-config=matrix_games"]
        if draw.random() < 0.4:
            sides = ["--config=qmix", f"--env-config={path}"]
        yield [*sides, "print_config"]


def queries(draw: random.Random, runs: Path) -> Iterator[list[str]]:
    """Questions about runs."""
    while True:
        text = " ".join(draw.choice(QUERIES) for _ in range(draw.randrange(1, 8)))
        command = draw.choice(("ls", "show", "diff", "export", "heatmap"))
        option = draw.choice(("--where", "--columns", "--sort", "--x", "--format", ""))
        yield [command, str(runs), *([option, text] if option else [text])]


def damaged_folders(draw: random.Random, whole: Path, folder: Path) -> Iterator[list[str]]:
    """Commands about copies of a run of which something was changed, cut, emptied, removed or replaced."""
    number = 0
    while True:
        number += 1
        run = Path(shutil.copytree(whole, folder / f"run{number}"))
        for _ in range(draw.randrange(1, 3)):
            harm(draw, run)
        command = draw.choice((["ls"], ["show"], ["diff"], ["export"], ["resume"]))[0]
        yield [f"--resume={run}"] if command == "resume" else [command, str(run)]


def harm(draw: random.Random, run: Path) -> None:
    """Damage one file of a run's record."""
    paths = sorted(
        path for path in run.iterdir() if path.suffix in (".json", ".jsonl", ".yaml", ".pt", ".txt")
    )
    if not paths:
        return
    path = draw.choice(paths)
    content = path.read_bytes() if path.is_file() else b""

    def replaced(by: Callable[[], object]) -> None:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        by()

    ways: list[Callable[[], object]] = [
        lambda: path.unlink() if path.is_file() else None,
        lambda: replaced(lambda: path.write_bytes(b"")),
        lambda: replaced(lambda: path.write_bytes(content[: draw.randrange(len(content) + 1)])),
        lambda: replaced(lambda: path.write_bytes(draw.randbytes(100))),
        lambda: replaced(path.mkdir),
        lambda: replaced(lambda: path.symlink_to(path)),
        lambda: replaced(
            lambda: path.write_text(
                json.dumps(
                    draw.choice(([], {}, 3, None, {"state": [], "t_env": "x", "updates": "y", "episode": []}))
                )
            )
        ),
        lambda: replaced(lambda: path.write_bytes(content.replace(b"1", b"\xff", 3))),
        lambda: replaced(lambda: path.write_bytes(content + b'{"t_env": 1}\n')),
    ]
    draw.choice(ways)()
