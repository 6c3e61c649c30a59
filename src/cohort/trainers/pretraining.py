"""Training a pair and keeping what one of them was after every update: the teammates that meta-learning meets."""

from collections.abc import Callable
from typing import Any, Literal, Self

import torch
from pydantic import Field

from cohort.components.averages import RunningAverages
from cohort.components.seeding import generator
from cohort.configuration.plan import Plan
from cohort.envs.halfcheetah.env import DIRECTIONS, HalfCheetahDir
from cohort.envs.halfcheetah.game import HalfCheetahGame
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
    subject = "pair"

    learner: JointPolicyGradientLearner

    def __init__(
        self,
        settings: PretrainingTrainerSettings,
        *,
        game: HalfCheetahGame,
        learner: JointPolicyGradientLearner,
        seed: int,
    ) -> None:
        self.game, self.learner, self.seed = game, learner, seed
        self.kept: list[dict[str, torch.Tensor]] = []
        self.returns: list[float] = []
        self.averages = RunningAverages()
        self.t_env = 0
        self.episode = 0

    @classmethod
    def build(cls, plan: Plan, device: torch.device, say: Callable[[str], None]) -> Self:
        """Raises `ValueError` when the environment is not the 2-agent HalfCheetah."""
        if not issubclass(plan["env"].cls, HalfCheetahDir):
            raise ValueError(
                f"trainer=pretraining needs --env-config=halfcheetah_dir, not env={plan['env'].name}"
            )
        seed, env = plan.run.seed, plan["env"].settings
        game = HalfCheetahGame(DIRECTIONS[plan["trainer"].settings.pretraining_direction], env.reward_scale)
        learner = plan["learner"].create(game=game, steps=env.episode_limit, device=device, seed=seed)
        return plan["trainer"].create(game=game, learner=learner, seed=seed)

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
        return score * self.learner.steps / self.game.reward_scale

    def evaluate(self, watch: StepCallback = None) -> dict[str, float]:
        """K matches with random numbers that are the same each time."""
        with torch.no_grad():
            stage = self.learner.play(generator(self.seed, "test"))
        return {"test_return_mean": self._whole(float(stage.matches.score[:, 0].mean()))}

    @property
    def teammates(self) -> Teammates:
        names = self.learner.actors[KEPT]
        params = {name: torch.stack([each[name] for each in self.kept]) for name in names if self.kept}
        returns = torch.tensor(self.returns, dtype=torch.float64)
        return Teammates(params, torch.arange(len(self.kept)), returns)

    def metrics(self) -> dict[str, float]:
        return self.averages.flush()

    def load_model(self, state: dict[str, Any], step: int) -> None:
        self.learner.load_state_dict(state)
        self.t_env = step

    def state_dict(self) -> dict[str, Any]:
        return {
            "learner": self.learner.state_dict(),
            "teammates": self.teammates.state_dict(),
            "averages": self.averages.state_dict(),
            "counters": {"t_env": self.t_env, "episode": self.episode},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.learner.load_state_dict(state["learner"])
        teammates = Teammates.of_state_dict(state["teammates"])
        self.kept = [
            {name: each[place] for name, each in teammates.params.items()} for place in range(len(teammates))
        ]
        self.returns = teammates.returns.tolist()
        self.averages.load_state_dict(state["averages"])
        self.t_env, self.episode = state["counters"]["t_env"], state["counters"]["episode"]
