"""Saved networks, in PyMARL's layout: `models/<t_env>/learner.pt`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cohort.errors import UserError
from cohort.recording.checkpoints import load_checkpoint, save_atomically
from cohort.recording.folder import BEST_FILE

MODEL_FILE = "learner.pt"
BEST = "best model"  # its kind of file


class NoModel(UserError):
    """Nothing is saved in a folder; what is there but cannot be read is any other `UserError`."""


def save_model(state: dict[str, Any], models: Path, t_env: int) -> Path:
    """Save a learner's state at `t_env` environment steps where `find_model` finds it; returns the file."""
    path = models / str(t_env) / MODEL_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    save_atomically(state, path, kind="model")
    return path


def save_best(best: Mapping[str, Any], path: Path) -> None:
    """Save the best model so far: `learner`, and the `metric`, its `value` and the `t_env` it was best at."""
    save_atomically(dict(best), path, kind=BEST)


def load_learner(
    place: Path, load_step: int, key: str = "checkpoint_path"
) -> tuple[dict[str, Any], int, Path]:
    """A learner's saved state, its step and its file: a model as `find_model` finds it, else a run's checkpoint.

    `place` may also name a run's best.pt. `key` is what the user gave it as.

    Raises:
        NoModel: nothing is saved there.
        UserError: there is no such place, or what is saved cannot be read.
    """
    if place.name == BEST_FILE:
        best = load_checkpoint(place, kind=BEST)
        return best["learner"], best["t_env"], place
    checkpoint = place / "checkpoint.pt"
    if not load_step and os.path.isfile(checkpoint) and not os.path.isdir(place / "models"):
        trainer = load_checkpoint(checkpoint)["trainer"]
        return trainer["learner"], trainer["counters"]["t_env"], checkpoint
    path, step = find_model(place, load_step, key)
    return load_checkpoint(path, kind="model"), step, path


def find_model(place: Path, load_step: int, key: str = "checkpoint_path") -> tuple[Path, int]:
    """The saved model to load and its step: `load_step` 0 takes the last one, otherwise the nearest.

    Args:
        place: a run's folder, its `models` folder, or the folder of one step.
        load_step: environment steps; ignored where the path names one step.
        key: what the user gave the place as.

    Raises:
        NoModel: there is no model; the message names what is there.
        UserError: there is no such folder.
    """
    if not os.path.isdir(place):
        if os.path.isfile(place):
            raise UserError(f"{key}={place} is a file. Name its folder: {place.parent}")
        raise UserError(f"{key}={place}: there is no such folder.")
    if _is_step(place):
        return place / MODEL_FILE, int(place.name)
    folder, steps = _models_folder(place), model_steps(place)
    if not steps:
        raise NoModel(f"{key}={place}: no saved model in it. {_inside(folder)}")
    step = steps[-1] if load_step == 0 else min(steps, key=lambda known: abs(known - load_step))
    return folder / str(step) / MODEL_FILE, step


def model_steps(checkpoint_path: Path) -> list[int]:
    """The steps of all saved models of a run, in order: `checkpoint_path` is its folder or its `models` folder."""
    return sorted(int(child.name) for child in _models_folder(checkpoint_path).iterdir() if _is_step(child))


def _models_folder(checkpoint_path: Path) -> Path:
    inner = checkpoint_path / "models"
    return inner if inner.is_dir() else checkpoint_path


def _is_step(folder: Path) -> bool:
    """A kill between making a step's folder and filling it leaves an empty one, which does not count."""
    return folder.name.isdecimal() and (folder / MODEL_FILE).is_file()


def _inside(folder: Path) -> str:
    there = sorted(child.name for child in folder.iterdir())
    return (
        f"{folder} holds: {', '.join(there[:20]) or 'nothing'}. Expected: folders named by step, each with "
        f"{MODEL_FILE} (a run saves them with save_model=True)."
    )
