"""Meta-MAPG: a first policy that anticipates how it and its peers will learn."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from cohort.chains.baseline import match_advantages
from cohort.chains.games import ChainGame
from cohort.chains.matches import Policies
from cohort.chains.sampled import InnerObjective, SampledStage
from cohort.chains.surrogate import OuterTerms, meta_objective
from cohort.chains.unroll import Nodes, unroll
from cohort.components.averages import Metrics
from cohort.components.seeding import generator
from cohort.components.state import load_optimiser
from cohort.learners.meta.gradients import clip_rows, pcgrad
from cohort.learners.meta.meta_base import (
    MetaLearnerSettings,
    SampledLearner,
    chain_metrics,
    count,
    in_parts,
    scores_of,
    spread,
)
from cohort.modules.policies import Params
from cohort.modules.policies.lstm import LSTMNetwork


class MetaMAPGLearnerSettings(MetaLearnerSettings):
    own_learning: bool = Field(description="the agent's own updates are differentiated (own learning)")
    peer_learning: bool = Field(description="the peers' log-probabilities count (peer learning)")
    dice_nodes: Nodes = Field(
        description="an agent's inner objective is a function of all agents' parameters, or of its own"
    )
    inner_objective: InnerObjective = Field(
        description="dice (the paper), or loaded: the same first derivative, less variance in the second"
    )
    outer_terms: OuterTerms = Field(
        description="log-probabilities that meet an advantage: of all stages so far (the paper), or the last's"
    )
    outer_baseline: Literal["value", "linear"] = Field(
        description="what outer advantages are over: a value network by GAE (the paper), or the inner updates' baseline"
    )
    gae_lambda: float = Field(ge=0, le=1, description="lambda of the value network's advantages")
    entropy_weight: float = Field(ge=0, description="weight of the first policy's entropy")
    outer_lr: float = Field(gt=0, description="learning rate of the first policy and of the inner step sizes")
    outer_critic_lr: float = Field(gt=0, description="learning rate of the value network")
    optim_eps: float = Field(gt=0, description="the optimiser's term for numerical stability")
    grad_norm_clip: float = Field(gt=0, description="largest norm of one chain's gradient")
    project_conflicts: bool = Field(description="PCGrad: chains take out of each other what conflicts")

    @model_validator(mode="after")
    def peers_depend_on_the_agent(self) -> Self:
        if self.peer_learning and self.dice_nodes == "own":
            raise ValueError(
                "peer_learning=True needs dice_nodes=all: with dice_nodes=own the peers' updates do not depend on the "
                "agent's parameters, and the peer term would be a constant"
            )
        return self

    @model_validator(mode="after")
    def a_linear_baseline_is_fitted(self) -> Self:
        if self.outer_baseline == "linear" and self.inner_baseline == "none":
            raise ValueError(
                "outer_baseline=linear takes the inner updates' baseline: it needs inner_baseline=linear"
            )
        return self


class MetaMAPGLearner(SampledLearner):
    """Meta-MAPG, theorem 1 and Algorithm 1; Meta-PG and the ablations by its settings.

    One update plays a chain with each of C first policies of the peers and follows the mean of the chains' gradients.

    Departs from it in: the chains are synchronous, where the authors' workers share parameters without a lock;
    AMSGrad is torch's, whose eps stands beside the corrected second moment; conflicts are not projected in the value
    network's gradient.
    """

    Settings = MetaMAPGLearnerSettings

    def __init__(
        self,
        settings: MetaMAPGLearnerSettings,
        *,
        game: ChainGame,
        steps: int,
        device: torch.device,
        seed: int,
    ) -> None:
        super().__init__(settings, game=game, steps=steps, device=device, seed=seed)
        self.value = LSTMNetwork(game.n_inputs, 1, settings.rnn_hidden_dim)
        self.critic: Params = {}  # the value network's parameters
        if settings.outer_baseline == "value":
            fresh = self.value.initial(generator(seed, "value"))
            self.critic = {name: each.to(device) for name, each in fresh.items()}
        self.order = generator(seed, "conflicts")

        def optimiser(parameters: Sequence[Tensor], lr: float) -> torch.optim.Adam:
            return torch.optim.Adam(parameters, lr=lr, eps=settings.optim_eps, amsgrad=True)

        self.optimisers = {
            "actor": optimiser([*self.first.values()], settings.outer_lr),
            "rates": optimiser([self.rates], settings.outer_lr),
        }
        if self.critic:
            self.optimisers["critic"] = optimiser([*self.critic.values()], settings.outer_critic_lr)

    def update(self, peers: Params) -> Metrics:
        drawn = self.draw(count(peers), self.draws)
        chains = [
            self.gradients(few, chance)
            for few, chance in in_parts(peers, drawn, self.settings.chains_at_once)
        ]
        gradients = {name: torch.cat([each[0][name] for each in chains]) for name in self.optimisers}
        metrics: Metrics = chain_metrics(torch.cat([each[1] for each in chains]))
        for name, optimiser in self.optimisers.items():
            clipped, norms = clip_rows(gradients[name], self.settings.grad_norm_clip)
            if self.settings.project_conflicts and name != "critic":
                clipped = pcgrad(clipped, self.order)
            step(optimiser, -clipped.mean(dim=0))
            metrics[f"{name}_grad_norm"] = norms.mean()
        self.updates += 1
        metrics |= {name: torch.cat([each[2][name] for each in chains]).mean() for name in chains[0][2]}
        return metrics | {f"inner_lr_{place}": rate.clone() for place, rate in enumerate(self.rates)}

    def gradients(self, peers: Params, chance: Tensor) -> tuple[dict[str, Tensor], Tensor, Metrics]:
        """Each chain's ascent direction of actor, rates and critic, [C, P] each; its scores; what to log, [C] each."""
        start, rates = self.start(peers), self.inner_rates(count(peers))
        critic = {name: spread(each, count(peers)) for name, each in self.critic.items()}
        settings = self.settings
        stages = self.chain(start, rates, chance)
        gradients, metrics = {}, {}
        if critic:
            advantages, errors = self.judge(stages[1:], critic)
            gradients["critic"] = rows(torch.autograd.grad(-errors.sum(), list(critic.values())))
            metrics["value_loss"] = errors
        else:
            advantages = [stage.returns[:, 0] - stage.baseline[:, 0] for stage in stages[1:]]
        objective = meta_objective(
            stages,
            advantages,
            own=settings.own_learning,
            peer=settings.peer_learning,
            terms=settings.outer_terms,
            entropy_weight=settings.entropy_weight,
        )
        found = torch.autograd.grad(objective.sum(), [*start[0].values(), rates[0]])
        gradients |= {"actor": rows(found[:-1]), "rates": rows(found[-1:])}
        metrics |= {"meta_loss": -objective, "entropy": stages[0].entropy(0).mean(dim=(1, 2))}
        return gradients, scores_of(stages), {name: each.detach() for name, each in metrics.items()}

    def chain(self, start: Policies, rates: list[Tensor], chance: Tensor) -> list[SampledStage]:
        """The stages as functions of `start` and `rates`, by the settings' rules."""
        settings = self.settings
        sampling = self.sampling(nodes=settings.dice_nodes, inner_objective=settings.inner_objective)
        return unroll(
            lambda params, place: sampling.play(params, chance[:, place]),
            start,
            rates,
            differentiate=True,
            own=settings.own_learning,
        )

    def judge(self, stages: Sequence[SampledStage], critic: Params) -> tuple[Sequence[Tensor], Tensor]:
        """Agent 0's advantages at each stage, [C, K, T], and the value's squared errors, [C].

        V is blind to the place in the chain and learns from phi_1 on, as in the authors' code; so all stages are valued
        as one batch of matches.
        """

        def together(of_stages: Iterable[Tensor]) -> Tensor:
            return torch.cat([*of_stages], dim=1)  # [C, L K, T]

        value = self.value.outputs(critic, together(stage.matches.states for stage in stages))
        value = value[:, :, 0].transpose(1, 2)
        reward = together(stage.matches.reward[..., 0] for stage in stages)
        advantages = match_advantages(reward, value.detach(), self.settings.gamma, self.settings.gae_lambda)
        errors = (value - together(stage.returns[:, 0] for stage in stages)).square().mean(dim=(1, 2))
        return advantages.chunk(len(stages), dim=1), errors * len(stages) / (len(stages) + 1)

    def state_dict(self) -> dict[str, Any]:
        return {
            **super().state_dict(),
            "critic": {name: each.clone() for name, each in self.critic.items()},
            "order": self.order.get_state(),
            "optimisers": {name: each.state_dict() for name, each in self.optimisers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        for name, each in self.critic.items():
            each.copy_(state["critic"][name])
        self.order.set_state(state["order"])
        for name, each in self.optimisers.items():
            load_optimiser(each, state["optimisers"][name])


def rows(gradients: Sequence[Tensor]) -> Tensor:
    """Every chain's gradient in one row: [C, ...] each -> [C, P]."""
    return torch.cat([each.flatten(1) for each in gradients], dim=1)


def step(optimiser: torch.optim.Optimizer, gradient: Tensor) -> None:
    """One step of descent by a flat gradient, [P], of the optimiser's parameters in their order."""
    parameters = optimiser.param_groups[0]["params"]
    pieces = gradient.split([each.numel() for each in parameters])
    for parameter, piece in zip(parameters, pieces, strict=True):
        parameter.grad = piece.view_as(parameter)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
