"""Populations of pre-trained teammates: what the other agent of the 2-agent HalfCheetah begins with (appendix E.3)."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cohort.components.seeding import generator
from cohort.errors import UserError
from cohort.learners.meta.personas import SPLITS
from cohort.modules.policies import Params
from cohort.recording.checkpoints import load_checkpoint

COMMAND = "python run.py --config=cheetah_teammates --env-config=halfcheetah_dir"


@dataclass(frozen=True)
class Teammates:
    """P policies that one agent had while a pair was trained.

    Attributes:
        params: [P, ...] each.
        iteration: [P] int64, updates that the pair had had.
        returns: [P] float64, what a whole match came to with the partner of that iteration, to the left and unscaled.
    """

    params: Params
    iteration: Tensor
    returns: Tensor

    def __len__(self) -> int:
        return len(self.iteration)

    def rows(self, index: Tensor) -> "Teammates":
        params = {name: each[index] for name, each in self.params.items()}
        return Teammates(params, self.iteration[index], self.returns[index])


def load_teammates(path: Path | None) -> Teammates:
    """All teammates of a run, by its folder or its checkpoint.

    Raises:
        UserError: no run is named, there is none, or it trained no teammates.
    """
    if path is None:
        raise UserError(
            f"this environment's peers are trained beforehand: {COMMAND}\n"
            "Then name that run's folder: teammates=results/<folder>."
        )
    if not path.exists():
        raise UserError(
            f"teammates={path}: there is no such folder or file. Name the folder of a run of: {COMMAND}"
        )
    file = path / "checkpoint.pt" if path.is_dir() else path
    if not file.is_file():
        raise UserError(
            f"teammates={path}: there is no checkpoint.pt in it. Name the folder of a run of: {COMMAND}"
        )
    trainer = load_checkpoint(file).get("trainer", {})
    if "teammates" not in trainer:
        raise UserError(f"teammates={path} is a run that trained no teammates. Name one of: {COMMAND}")
    return Teammates(**trainer["teammates"])


def split_teammates(
    teammates: Teammates,
    seed: int,
    sizes: tuple[int, int, int],
    learning: tuple[int, int],
    test: tuple[int, int],
) -> dict[str, Teammates]:
    """Those to train with, to choose the model by and to test with, named as in `SPLITS`.

    Args:
        teammates: of all iterations, 0 first.
        seed: the same seed gives the same splits.
        sizes: of the three splits.
        learning: first and last iteration of the first two, which are drawn from it apart from one another.
        test: first and last iteration of the third.

    Raises:
        ValueError: there are not so many iterations, or teammates.
    """
    (n_train, n_validation, n_test), last = sizes, len(teammates) - 1
    for key, (first, final) in (("teammates_range", learning), ("teammates_test_range", test)):
        if not 0 <= first <= final <= last:
            raise ValueError(
                f"{key}=[{first},{final}]: the pre-training run has iterations 0 to {last}. Train it further "
                "(--resume=<its folder> with t_max=<more>), or give teammates_range=[first,last] and "
                "teammates_test_range=[first,last] within these, and personas_train, personas_validation and "
                "personas_test to go with them."
            )
    draws = generator(seed, "teammates")
    rows = [_shuffled(learning, draws), _shuffled(test, draws)]
    if n_train + n_validation > len(rows[0]):
        raise ValueError(
            f"personas_train={n_train} and personas_validation={n_validation} together are more than the "
            f"{len(rows[0])} iterations of teammates_range=[{learning[0]},{learning[1]}]"
        )
    if n_test > len(rows[1]):
        raise ValueError(
            f"personas_test={n_test} is more than the {len(rows[1])} iterations of "
            f"teammates_test_range=[{test[0]},{test[1]}]"
        )
    chosen = rows[0][:n_train], rows[0][n_train : n_train + n_validation], rows[1][:n_test]
    return {name: teammates.rows(index.sort().values) for name, index in zip(SPLITS, chosen, strict=True)}


def _shuffled(limits: tuple[int, int], draws: torch.Generator) -> Tensor:
    """All whole numbers between the two, in any order."""
    first, final = limits
    return first + torch.randperm(final - first + 1, generator=draws)
