"""A team's policy gradient with common advantages: how teammates for meta-learning are pre-trained."""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from cohort.chains.baseline import match_advantages
from cohort.chains.games import ChainGame
from cohort.chains.matches import Policies
from cohort.chains.sampled import SampledStage, Sampling
from cohort.components.averages import Metrics
from cohort.components.seeding import generator
from cohort.components.state import restore, state_of
from cohort.learners.base import DiscountSettings, Minimiser
from cohort.learners.meta.meta_base import make_policies
from cohort.learners.optimisers import Adam
from cohort.modules.policies import Params
from cohort.modules.policies.lstm import LSTMNetwork

TINY = 1e-8


class JointPolicyGradientLearnerSettings(DiscountSettings):
    trajectories: int = Field(ge=1, description="K, matches that each update is made from")
    rnn_hidden_dim: int = Field(ge=1, description="size of the recurrent networks and the layers before them")
    gae_lambda: float = Field(ge=0, le=1, description="lambda of the advantages")
    entropy_weight: float = Field(ge=0, description="weight of the policies' entropies")
    lr: float = Field(gt=0, description="Adam's rate for policies and value network")
    grad_norm_clip: float = Field(gt=0, description="largest norm of the whole gradient")


class JointPolicyGradientLearner:
    """All agents ascend the common return, each by its own log-probabilities times generalised advantages.

    The paper does not say how its teammates came about (appendix E.3). Here: agents of its architecture, a value
    network of what both see, Adam, advantages of a batch standardised.
    """

    Settings = JointPolicyGradientLearnerSettings
    subject = "pair"  # what it teaches
    parts = ()

    def __init__(
        self,
        settings: JointPolicyGradientLearnerSettings,
        *,
        game: ChainGame,
        steps: int,
        device: torch.device,
        seed: int,
    ) -> None:
        self.settings, self.game, self.steps, self.device = settings, game, steps, device
        policies = make_policies(game, "lstm", settings.rnn_hidden_dim)
        self.sampling = Sampling(game, policies, settings.gamma, "own", "dice", "none")
        self.value = LSTMNetwork(game.n_inputs, 1, settings.rnn_hidden_dim)
        networks, values = generator(seed, "networks"), generator(seed, "value")
        self.actors = [self._leaves(policy.initial(networks)) for policy in policies]
        self.critic = self._leaves(self.value.initial(values))
        self.parameters = [each for params in (*self.actors, self.critic) for each in params.values()]
        optimiser = Adam(self.parameters, lr=settings.lr)
        self.minimiser = Minimiser(self.parameters, optimiser, grad_norm_clip=settings.grad_norm_clip)
        self.draws = generator(seed, "matches")
        self.updates = 0
        actors = {f"actor_{agent}": params for agent, params in enumerate(self.actors)}
        self._kept = {**actors, "critic": self.critic, "optimiser": optimiser, "draws": self.draws}

    def _leaves(self, params: Params) -> Params:
        return {name: each.to(self.device).requires_grad_() for name, each in params.items()}

    def stage(self, draws: torch.Generator) -> SampledStage:
        """K matches as things stand; `draws` is a CPU generator."""
        chance = self.game.chance((1, self.settings.trajectories), self.steps, draws).to(self.device)
        params: Policies = [
            {name: each.unsqueeze(0) for name, each in actor.items()} for actor in self.actors
        ]
        return self.sampling.stage(params, chance)

    def update(self) -> tuple[Metrics, float]:
        """One update from matches of the present policies: what to log, and their mean reward per step."""
        stage = self.stage(self.draws)
        loss, metrics = self.loss(stage)
        norm = self.minimiser.step(self.minimiser.gradient(loss))
        self.updates += 1
        return {**metrics, "grad_norm": norm.detach()}, float(stage.matches.score[:, 0].mean())

    def loss(self, stage: SampledStage) -> tuple[Tensor, Metrics]:
        """- mean_{k,t} sum_j (log pi^j A + entropy_weight H^j) + mean_{k,t} (V - R)^2, A standardised, R discounted."""
        settings, agents = self.settings, range(self.game.n_agents)
        critic = {name: each.unsqueeze(0) for name, each in self.critic.items()}
        value = self.value.outputs(critic, stage.matches.states)[:, :, 0].transpose(1, 2)  # [1, K, T]
        reward = stage.matches.reward[..., 0]
        advantage = match_advantages(reward, value.detach(), settings.gamma, settings.gae_lambda)
        advantage = (advantage - advantage.mean()) / (advantage.std() + TINY)
        score = torch.stack([stage.log_prob(agent) for agent in agents]).sum(dim=0)
        entropy = torch.stack([stage.entropy(agent) for agent in agents]).sum(dim=0).mean()
        policy_loss = -(score * advantage).mean() - settings.entropy_weight * entropy
        value_loss = (value - stage.returns[:, 0]).square().mean()
        metrics = {"policy_loss": policy_loss, "value_loss": value_loss, "entropy": entropy}
        return policy_loss + value_loss, {name: each.detach() for name, each in metrics.items()}

    def state_dict(self) -> dict[str, Any]:
        return {**state_of(self._kept), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        restore(self._kept, state)
        self.updates = state["updates"]
