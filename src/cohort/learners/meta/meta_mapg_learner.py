"""Meta-MAPG: a first policy that anticipates how it and its peers will learn."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from cohort.chains.baseline import match_advantages
from cohort.chains.matches import Policies
from cohort.chains.sampled import SampledStage, Sampling
from cohort.chains.unroll import unroll
from cohort.components.averages import Metrics
from cohort.components.seeding import generator
from cohort.learners.meta.gradients import clip_rows, pcgrad, rows, step_along
from cohort.learners.meta.meta_base import (
    DifferentiatedChainSettings,
    LookAheadSettings,
    SampledLearner,
    chain_metrics,
    count,
    in_parts,
    scores_of,
    spread,
)
from cohort.learners.optimisers import Adam
from cohort.modules.policies import Params
from cohort.modules.policies.lstm import LSTMNetwork

OuterTerms = Literal["all", "last"]


class MetaMAPGLearnerSettings(DifferentiatedChainSettings, LookAheadSettings):
    peer_learning: bool = Field(description="the peers' log-probabilities count (peer learning)")
    own_term: bool = Field(
        description="the log-probabilities of the agent's later policies count (the own sum of equation 6)"
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
    def something_follows_the_chain(self) -> Self:
        if not self.own_term and not self.peer_learning:
            raise ValueError(
                "own_term=False needs peer_learning=True: without either sum of equation 6 nothing is learned from "
                "what becomes of the first policy"
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

    def __init__(self, settings: MetaMAPGLearnerSettings, **task: Any) -> None:
        super().__init__(settings, **task)
        self.value = LSTMNetwork(self.game.n_inputs, 1, settings.rnn_hidden_dim)
        # the value network's parameters
        self.critic = self.fresh(self.value, "value") if settings.outer_baseline == "value" else {}
        self.order = generator(self.seed, "conflicts")
        moved = {
            "actor": ([*self.first.values()], settings.outer_lr),
            "rates": ([self.rates], settings.outer_lr),
        }
        if self.critic:
            moved["critic"] = ([*self.critic.values()], settings.outer_critic_lr)
        self.optimisers = {
            name: Adam(parameters, lr=lr, eps=settings.optim_eps, amsgrad=True)
            for name, (parameters, lr) in moved.items()
        }
        self.keep(critic=self.critic, order=self.order, optimisers=self.optimisers)

    def update(self, peers: Params) -> Metrics:
        drawn = self.draw(count(peers), self.draws)
        parts = in_parts(peers, drawn, self.settings.chains_at_once)
        chains = [self.gradients(few, chance) for few, chance in parts]
        gradients = {name: torch.cat([each[0][name] for each in chains]) for name in self.optimisers}
        metrics: Metrics = chain_metrics(torch.cat([each[1] for each in chains]))
        for name, optimiser in self.optimisers.items():
            clipped, norms = clip_rows(gradients[name], self.settings.grad_norm_clip)
            if self.settings.project_conflicts and name != "critic":
                clipped = pcgrad(clipped, self.order)
            step_along(optimiser, -clipped.mean(dim=0))
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
            own=settings.own_term,
            peer=settings.peer_learning,
            terms=settings.outer_terms,
            entropy_weight=settings.entropy_weight,
        )
        # the last step size moves the agent's own last policy alone, which the peers' terms do not know of
        found = torch.autograd.grad(
            objective.sum(), [*start[0].values(), rates[0]], allow_unused=True, materialize_grads=True
        )
        gradients |= {"actor": rows(found[:-1]), "rates": rows(found[-1:])}
        metrics |= {"meta_loss": -objective, "entropy": stages[0].entropy(0).mean(dim=(1, 2))}
        return gradients, scores_of(stages), {name: each.detach() for name, each in metrics.items()}

    def chain(self, start: Policies, rates: list[Tensor], chance: Tensor) -> list[SampledStage]:
        """The stages as functions of `start` and `rates`, by the settings' rules."""
        sampling, own = self.differentiated, self.settings.own_learning

        def stage_of(params: Policies, place: int) -> SampledStage:
            return sampling.stage(params, chance[:, place])

        return list(unroll(stage_of, start, rates, differentiate=True, own=own))

    @property
    def differentiated(self) -> Sampling:
        """How the stages of such a chain are played."""
        return self.sampling(nodes=self.settings.dice_nodes, inner_objective=self.settings.inner_objective)

    def judge(self, stages: Sequence[SampledStage], critic: Params) -> tuple[Sequence[Tensor], Tensor]:
        """Agent 0's advantages at each stage, [C, K, T], and the value's squared errors, [C].

        V is blind to the place in the chain and learns from phi_1 on, as in the authors' code; so all stages are valued
        as one batch of matches.
        """
        each = ((stage.matches.states, stage.matches.reward[..., 0], stage.returns[:, 0]) for stage in stages)
        states, reward, returns = (torch.cat(of_stages, dim=1) for of_stages in zip(*each, strict=True))
        value = self.value.outputs(critic, states)[:, :, 0].transpose(1, 2)  # [C, L K, T]
        advantages = match_advantages(reward, value.detach(), self.settings.gamma, self.settings.gae_lambda)
        errors = (value - returns).square().mean(dim=(1, 2))
        return advantages.chunk(len(stages), dim=1), errors * len(stages) / (len(stages) + 1)


def meta_objective(
    stages: Sequence[SampledStage],
    advantages: Sequence[Tensor],
    *,
    own: bool,
    peer: bool,
    terms: OuterTerms,
    entropy_weight: float,
) -> Tensor:
    """1/(L+1) [J_0 + J_1 + ... + J_L], whose gradient is equation 6 summed over the chain: [C].

    J_m = mean_k sum_t (log pi(a^0_t; phi^0_0) + sum_{l=1..m} log pi(a^0_t; phi^0_l)
                        + sum_{l=1..m} sum_{j>0} log pi(a^j_t; phi^j_l)) A_t

    are the current policy, own learning and peer learning; A is the advantage of agent 0 at stage m, [C, K, T], and J_0
    is the entropy of its first policy, weighted. With `terms` "all", as printed, log-probabilities of one match meet
    the advantages of another: for l < m they add nothing but noise to the expectation when updates are exact. "last"
    keeps l = m alone. Without `own` the second sum is left out, without `peer` the third.
    """
    current = stages[0].log_prob(0)
    total = entropy_weight * stages[0].entropy(0).sum(dim=-1).mean(dim=-1)
    for stage, advantage in zip(stages[1:], advantages, strict=True):
        score = _score(stage, own=own, peer=peer)
        current = current + score if terms == "all" else score
        total = total + (current * advantage).sum(dim=-1).mean(dim=-1)
    return total / len(stages)


def _score(stage: SampledStage, *, own: bool, peer: bool) -> Tensor:
    """The log-probabilities whose dependence on the first policy counts, [C, K, T]."""
    agents = range(0 if own else 1, len(stage.params) if peer else 1)
    return torch.stack([stage.log_prob(agent) for agent in agents]).sum(dim=0)
