"""Training a pair and keeping what one of them was after every update: the teammates that meta-learning meets."""

from typing import Any, Literal

import torch
from pydantic import Field

from cohort.chains.games import ChainGame, DirectedChainEnv
from cohort.components.averages import RunningAverages
from cohort.components.seeding import generator
from cohort.components.state import Part, restore, state_of
from cohort.learners.meta.joint_policy_gradient_learner import JointPolicyGradientLearner
from cohort.learners.meta.teammates import Teammates
from cohort.settings import Settings
from cohort.trainers.base import StepCallback, Trainer

KEPT = 1  # the agent whose policies become teammates; the other's place is the meta-agent's


class PretrainingTrainerSettings(Settings):
    pretraining_direction: Literal["right", "left"] = Field(
        description="where the pair learns to run, whatever env_args.direction says for meta-learning"
    )


class PretrainingTrainer(Trainer):
    """One round: keep agent 1's policy as it is, play, learn. `t_env` counts the steps of all matches.

    Teammate i is the policy that played in iteration i, after i updates; its return is that of these very matches.
    """

    Settings = PretrainingTrainerSettings
    roles = ("env", "learner", "trainer")
    requires_of_env = ("chains", "directions")
    subject = "pair"
    test_metrics = ("test_return_mean",)

    learner: JointPolicyGradientLearner

    def __init__(
        self,
        settings: PretrainingTrainerSettings,
        *,
        learner: JointPolicyGradientLearner,
        seed: int,
        **unread: Any,
    ) -> None:
        """The game is the learner's; what other trainers of chains are given besides is not needed."""
        self.learner, self.seed = learner, seed
        self.kept: list[dict[str, torch.Tensor]] = []
        self.returns: list[float] = []
        self.averages = RunningAverages()
        self.t_env = 0
        self.episode = 0

    @staticmethod
    def game_of(env: DirectedChainEnv, settings: PretrainingTrainerSettings) -> ChainGame:
        """What the learner is to play: the environment's game in the direction of pre-training."""
        return env.game_towards(settings.pretraining_direction)

    def iterate(self) -> None:
        """One update."""
        learner = self.learner
        now = {name: each.detach().cpu().clone() for name, each in learner.actors[KEPT].items()}
        metrics, score = learner.update()
        self.kept.append(now)
        self.returns.append(self._whole(score))
        self.averages.add({**metrics, "return_mean": torch.tensor(self.returns[-1])})
        self.episode += learner.settings.trajectories
        self.t_env += learner.settings.trajectories * learner.steps

    def _whole(self, score: float) -> float:
        """From the mean reward per step to what a whole match paid, unscaled."""
        return score * self.learner.steps / self.learner.game.reward_scale

    def evaluate(self, watch: StepCallback = None) -> dict[str, float]:
        """K matches with random numbers that are the same each time."""
        with torch.no_grad():
            stage = self.learner.stage(generator(self.seed, "test"))
        return {"test_return_mean": self._whole(float(stage.matches.score[:, 0].mean()))}

    @property
    def teammates(self) -> Teammates:
        names = self.learner.actors[KEPT]
        params = {name: torch.stack([each[name] for each in self.kept]) for name in names if self.kept}
        returns = torch.tensor(self.returns, dtype=torch.float64)
        return Teammates(params, torch.arange(len(self.kept)), returns)

    def metrics(self) -> dict[str, float]:
        return self.averages.flush()

    @property
    def _kept(self) -> dict[str, Part]:
        return {"learner": self.learner, "averages": self.averages}

    def state_dict(self) -> dict[str, Any]:
        counters = {"t_env": self.t_env, "episode": self.episode}
        return {**state_of(self._kept), "teammates": vars(self.teammates), "counters": counters}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        restore(self._kept, state)
        teammates = Teammates(**state["teammates"])
        self.kept = [
            {name: each[place] for name, each in teammates.params.items()} for place in range(len(teammates))
        ]
        self.returns = teammates.returns.tolist()
        self.t_env, self.episode = state["counters"]["t_env"], state["counters"]["episode"]
