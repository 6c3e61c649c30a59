"""Meta-training, validation and meta-testing among populations of learning peers (Meta-MAPG, Algorithms 1 and 2)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from cohort.chains.games import ChainEnv, ChainGame
from cohort.components.averages import RunningAverages
from cohort.components.seeding import generator
from cohort.components.state import Part, restore, state_of
from cohort.learners.meta.meta_base import Adaptation, ChainLearner, count
from cohort.learners.meta.personas import Personas, draw_population
from cohort.learners.meta.teammates import Teammates, load_teammates, split_teammates
from cohort.modules.policies import Params
from cohort.settings import Settings
from cohort.trainers.base import StepCallback, Trainer


class MetaLearningTrainerSettings(Settings):
    chains: int = Field(ge=1, description="chains of each update, each with peers of its own")
    val_interval: int = Field(
        ge=1, description="updates between two validations, which choose what is meta-tested"
    )
    personas_train: int = Field(
        ge=1, description="personas of each temperament to train with; of halfcheetah_dir: teammates"
    )
    personas_validation: int = Field(ge=1, description="personas of each temperament to choose the model by")
    personas_test: int = Field(ge=1, description="personas of each temperament to test with")
    out_of_distribution: bool = Field(
        description="test with personas beyond ood_boundary, train and validate below it"
    )
    ood_boundary: float = Field(
        gt=0, lt=1, description="probability of a persona's preferred action that parts training from test"
    )
    teammates: str = Field(
        description="halfcheetah_dir: the run of --config=cheetah_teammates, or its checkpoint, that peers are from"
    )
    teammates_range: tuple[int, int] = Field(
        description="first and last iteration of that run whose teammates train and validate"
    )
    teammates_test_range: tuple[int, int] = Field(description="the same of those that test")

    @property
    def sizes(self) -> tuple[int, int, int]:
        return self.personas_train, self.personas_validation, self.personas_test

    @property
    def boundary(self) -> float | None:
        return self.ood_boundary if self.out_of_distribution else None


class MetaLearningTrainer(Trainer):
    """One round: draw peers, play a chain with each, learn from them; now and then validate.

    `t_env` counts the steps of every match that training plays. Validation and test play with random numbers that are
    the same each time, so that models are compared on equal terms, and neither touches training.
    """

    Settings = MetaLearningTrainerSettings
    roles = ("env", "learner", "trainer")
    requires_of_env = ("chains",)
    subject = "meta-agent"

    learner: ChainLearner

    def __init__(
        self,
        settings: MetaLearningTrainerSettings,
        *,
        env: ChainEnv,
        learner: ChainLearner,
        device: torch.device,
        seed: int,
        say: Callable[[str], None],
    ) -> None:
        self.settings, self.game, self.learner = settings, env.game, learner
        self.device, self.seed = device, seed
        self.population = self._populate()
        sizes = ", ".join(f"{len(each)} to {name}" for name, each in self.population.items())
        say(f"personas: {sizes}")
        self.draws = generator(seed, "peers")
        self.averages = RunningAverages()
        self.validation: dict[str, float] = {}  # the last one's metrics
        self.t_env = 0
        self.episode = 0

    @staticmethod
    def game_of(env: ChainEnv, settings: MetaLearningTrainerSettings) -> ChainGame:
        """What the learner is to play."""
        return env.game

    def _populate(self) -> dict[str, Personas] | dict[str, Teammates]:
        """The peers of each split. Raises `ValueError` where the settings do not go with the game."""
        settings = self.settings
        if not self.game.action_dim:
            if settings.teammates:
                raise ValueError(
                    f"teammates={settings.teammates}: peers are drawn here; the key is for --env-config=halfcheetah_dir"
                )
            return draw_population(self.game, self.seed, settings.sizes, settings.boundary)
        if settings.out_of_distribution:
            raise ValueError(
                "out_of_distribution=True is for personas; teammates that test are those of teammates_test_range"
            )
        path = Path(settings.teammates) if settings.teammates else None
        teammates = load_teammates(path)
        return split_teammates(
            teammates, self.seed, settings.sizes, settings.teammates_range, settings.teammates_test_range
        )

    def iterate(self) -> None:
        """One update, and the validation that may be due."""
        train, chains = self.population["train"].params, self.settings.chains
        chosen = torch.randint(count(train), (chains, self.game.n_agents - 1), generator=self.draws)
        self.averages.add(self.learner.update(self._first(train, chosen)))
        matches = chains * self.learner.matches_per_chain
        self.episode += matches
        self.t_env += matches * self.learner.steps
        if self.learner.updates % self.settings.val_interval == 0:
            self.validate()

    def validate(self) -> None:
        """Meet every persona of the validation split; keep the model if it is the best so far."""
        scores = self._meet("validation").scores
        score = float(scores[:, 1:, 0].sum(dim=1).mean())
        self.learner.keep_if_best(score)
        self.validation = {
            "val_auc": score,
            "val_auc_best": self.learner.best["score"],
            "val_updates_best": float(self.learner.best["updates"]),
        }

    def evaluate(self, watch: StepCallback = None) -> dict[str, float]:
        """Meta-testing: the model that validation chose meets every persona of the test split."""
        with self.learner.using_best():
            scores, shares = (each.cpu() for each in self._meet("test"))
        metrics = _summary(scores)
        if not self.game.temperaments:  # what is plotted is the return of a whole match (Figure 2d)
            whole = self.learner.steps / self.game.reward_scale
            for place in range(scores.shape[1]):
                metrics[f"return_phi_{place}"] = whole * metrics[f"reward_phi_{place}"]
        elif self.game.n_agents == 2:
            temperament = self.population["test"].temperament
            by_name = {
                name: _summary(scores[temperament == index], f"_{name}")
                | _actions(shares[temperament == index], self.game.actions, f"_{name}")
                for index, name in enumerate(self.game.temperaments)
            }
            for each in by_name.values():
                metrics |= each
        return {f"test_{name}": value for name, value in metrics.items()}

    def _meet(self, split: str) -> Adaptation:
        """Chains with each of P personas of a split; further peers are drawn from the same split."""
        params, draws = self.population[split].params, generator(self.seed, f"meet/{split}")
        size = count(params)
        others = torch.randint(size, (size, self.game.n_agents - 2), generator=draws)
        index = torch.cat([torch.arange(size).unsqueeze(1), others], dim=1)
        return self.learner.adapt(self._first(params, index), draws)

    def _first(self, params: Params, index: Tensor) -> Params:
        """The peers' first policies, [C, N-1, ...]."""
        return {name: each[index].to(self.device) for name, each in params.items()}

    def metrics(self) -> dict[str, float]:
        return {**self.averages.flush(), **self.validation}

    @property
    def _kept(self) -> dict[str, Part]:
        population = {name: vars(each) for name, each in self.population.items()}  # tensors by their names
        return {
            "learner": self.learner,
            "population": population,
            "draws": self.draws,
            "averages": self.averages,
        }

    def state_dict(self) -> dict[str, Any]:
        counters = {"t_env": self.t_env, "episode": self.episode}
        return {**state_of(self._kept), "validation": dict(self.validation), "counters": counters}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        restore(self._kept, state)
        self.validation = dict(state["validation"])
        self.t_env, self.episode = state["counters"]["t_env"], state["counters"]["episode"]


def _summary(scores: Tensor, of: str = "") -> dict[str, float]:
    """The curve over phi_0 .. phi_L and its sums, from [P, L+1, N]; `of` ends every name.

    `auc` is the reward's sum over phi_1 .. phi_L, as the paper defines it; `auc_above` is the area above -1 per step.
    """
    curve = scores.double().mean(dim=0)  # [L+1, N]
    auc = float(curve[1:, 0].sum())
    metrics = {"return_mean": float(curve[:, 0].mean()), "auc": auc, "auc_above": auc + len(curve) - 1}
    for place, rewards in enumerate(curve):
        metrics[f"reward_phi_{place}"] = float(rewards[0])
        metrics[f"peer_reward_phi_{place}"] = float(rewards[1:].mean())
    return {f"{name}{of}": value for name, value in metrics.items()}


def _actions(shares: Tensor, names: tuple[str, ...], of: str) -> dict[str, float]:
    """How often the agent and its peers took each action at phi_0 .. phi_L, from [P, L+1, N, A]."""
    metrics = {}
    for place, each in enumerate(shares.double().mean(dim=0)):  # [N, A]
        for name, own, peer in zip(names, each[0], each[1:].mean(dim=0), strict=True):
            metrics[f"action_{name}_phi_{place}{of}"] = float(own)
            metrics[f"peer_action_{name}_phi_{place}{of}"] = float(peer)
    return metrics
