"""A trained team without Cohort and without torch: NumPy and onnxruntime play the file of `run.py policy --to=onnx`.

python examples/onnx_team/onnx_team.py results/RUN_FOLDER/policies/step2000000.onnx
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

Memory = dict[str, np.ndarray]  # what the team carries from one step to the next


class OnnxTeam:
    """The greedy policy of a team, for any number of games side by side."""

    def __init__(self, path: str | Path) -> None:
        """`path`: the .onnx file; its description lies beside it."""
        self.description = json.loads(Path(f"{path}.json").read_text())
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.inputs = {each["name"]: each for each in self.description["inputs"]}

    def begin(self, games: int) -> Memory:
        """What the team remembers before the first step of an episode."""
        return {
            each["input"]: np.full(
                (games, *self.inputs[each["input"]]["shape"][1:]),
                each["initial"],
                dtype=self.inputs[each["input"]]["dtype"],
            )
            for each in self.description["memory"]
        }

    def act(
        self, observation: np.ndarray, available_actions: np.ndarray | None, memory: Memory
    ) -> tuple[np.ndarray, Memory]:
        """Actions, [B, N] or continuous [B, N, U], and what the team remembers of this step.

        Args:
            observation: [B, N, O] float32, as the environment gives it.
            available_actions: [B, N, A] bool; None where actions are continuous.
            memory: of the step before.
        """
        given = {"observation": observation, **memory}
        if available_actions is not None:
            given["available_actions"] = available_actions
        names = ["actions", *(each["output"] for each in self.description["memory"])]
        actions, *after = self.session.run(names, given)
        return actions, dict(zip(memory, after, strict=True))


def main(path: str) -> None:
    """Three steps of two games with observations at random."""
    team, draw = OnnxTeam(path), np.random.default_rng(0)
    memory = team.begin(games=2)
    shape = team.inputs["observation"]["shape"][1:]
    available = None
    if "available_actions" in team.inputs:
        available = np.ones((2, *team.inputs["available_actions"]["shape"][1:]), dtype=bool)
    for _ in range(3):
        observation = draw.standard_normal((2, *shape)).astype(np.float32)
        actions, memory = team.act(observation, available, memory)
        print(actions.tolist())


if __name__ == "__main__":
    main(sys.argv[1])
