"""Saved networks, in PyMARL's layout: `models/<t_env>/learner.pt`."""

import os
from pathlib import Path
from typing import Any

from cohort.errors import UserError
from cohort.recording.checkpoints import load_checkpoint, save_atomically

MODEL_FILE = "learner.pt"


def save_model(state: dict[str, Any], models: Path, t_env: int) -> Path:
    """Save a learner's state at `t_env` environment steps where `find_model` finds it; returns the file."""
    path = models / str(t_env) / MODEL_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    save_atomically(state, path, kind="model")
    return path


def load_learner(checkpoint_path: Path, load_step: int) -> tuple[dict[str, Any], int, Path]:
    """A learner's saved state, its step and its file: a model as `find_model` finds it, else a run's checkpoint.

    Raises:
        UserError: there is neither.
    """
    checkpoint = checkpoint_path / "checkpoint.pt"
    if not load_step and os.path.isfile(checkpoint) and not os.path.isdir(checkpoint_path / "models"):
        trainer = load_checkpoint(checkpoint)["trainer"]
        return trainer["learner"], trainer["counters"]["t_env"], checkpoint
    path, step = find_model(checkpoint_path, load_step)
    return load_checkpoint(path, kind="model"), step, path


def find_model(checkpoint_path: Path, load_step: int) -> tuple[Path, int]:
    """The saved model to load and its step: `load_step` 0 takes the last one, otherwise the nearest.

    Args:
        checkpoint_path: a run's folder, its `models` folder, or the folder of one step.
        load_step: environment steps; ignored where the path names one step.

    Raises:
        UserError: there is no model; the message names what is there.
    """
    if not os.path.isdir(checkpoint_path):
        if os.path.isfile(checkpoint_path):
            raise UserError(
                f"checkpoint_path={checkpoint_path} is a file. Name its folder: {checkpoint_path.parent}"
            )
        raise UserError(f"checkpoint_path={checkpoint_path}: there is no such folder.")
    if _is_step(checkpoint_path):
        return checkpoint_path / MODEL_FILE, int(checkpoint_path.name)
    folder, steps = _models_folder(checkpoint_path), model_steps(checkpoint_path)
    if not steps:
        raise UserError(f"checkpoint_path={checkpoint_path}: no saved model in it. {_inside(folder)}")
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
