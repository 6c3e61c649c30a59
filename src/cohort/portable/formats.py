"""The kinds of file that a policy is exported as: how each is written, and how it is played to be checked."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from cohort.errors import UserError, missing_package
from cohort.portable.team import PortableTeam

REQUIREMENTS = "requirements/export.txt"
Play = Callable[[Sequence[Tensor]], list[Tensor]]  # inputs in order -> outputs in order


@contextmanager
def exporting(by: str) -> Iterator[None]:
    """Ends in one sentence where something is refused, and keeps to itself what exporters say of themselves.

    Raises:
        UserError: networks from anywhere may hold what cannot be exported.
    """
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise UserError(f"this policy cannot be exported: {by} says: {reason}") from error
    finally:
        logger.setLevel(level)


class Format(Protocol):
    """One kind of file."""

    suffix: str

    def content(self, portable: PortableTeam, recorded: torch.export.ExportedProgram) -> bytes:
        """The file."""

    def player(self, path: Path) -> Play:
        """What plays the file, on the CPU."""


class TorchProgram:
    """An `ExportedProgram` of torch.export: `torch.export.load(path).module()` plays it in Python.

    Not TorchScript, which torch 2.13 calls deprecated and Python 3.14 no longer supports.
    """

    suffix = ".pt2"

    def content(self, portable: PortableTeam, recorded: torch.export.ExportedProgram) -> bytes:
        file = io.BytesIO()
        with exporting("torch.export"):
            torch.export.save(recorded, file)
        return file.getvalue()

    def player(self, path: Path) -> Play:
        with exporting("torch.export"):
            module = torch.export.load(path).module()
        return lambda inputs: list(module(*inputs))


class Onnx:
    """ONNX, as torch's exporter over torch.export writes it (its older one goes by TorchScript)."""

    suffix = ".onnx"

    def __init__(self) -> None:
        """Raises `UserError` where a package is missing."""
        try:
            import onnx  # noqa: F401
            import onnxruntime  # noqa: F401
            import onnxscript  # noqa: F401
        except ImportError as error:
            raise missing_package("--to=onnx", error, REQUIREMENTS) from error

    def content(self, portable: PortableTeam, recorded: torch.export.ExportedProgram) -> bytes:
        with exporting("torch.onnx"):
            program = torch.onnx.export(
                recorded,
                input_names=[port.name for port in portable.inputs],
                output_names=[port.name for port in portable.outputs],
                dynamo=True,
                verbose=False,
            )
        model = program.model_proto
        _name_games(model)
        return model.SerializeToString()

    def player(self, path: Path) -> Play:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        with exporting("onnxruntime"):
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]

        def play(inputs: Sequence[Tensor]) -> list[Tensor]:
            given = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
            return [torch.from_numpy(value) for value in session.run(None, given)]

        return play


def _name_games(model: Any) -> None:
    """Readers see `batch` where torch's name of the first dimension would stand."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.graph.value_info[:]  # shapes in between, under the old name: only notes


FORMATS: dict[str, type[Format]] = {"onnx": Onnx, "torch": TorchProgram}


@torch.no_grad()
def record(portable: PortableTeam) -> torch.export.ExportedProgram:
    """The operations of one step, for any number of games.

    Raises:
        UserError: something in the policy is more than tensor operations.
    """
    games = torch.export.Dim("batch", min=1)
    examples = tuple(port.example(3) for port in portable.inputs)
    with exporting("torch.export"):
        return torch.export.export(
            portable, examples, dynamic_shapes=(tuple({0: games} for _ in examples),), strict=False
        )
