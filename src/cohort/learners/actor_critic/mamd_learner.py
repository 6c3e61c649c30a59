"""MAMD: mirror descent for teams, MAAC whose actors are held near their old policies."""

from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.averages import Metrics
from cohort.components.functional import counterfactual_advantage, taken
from cohort.components.transitions import Transitions
from cohort.learners.actor_critic.counterfactual import Decisions
from cohort.learners.actor_critic.maac_learner import MAACLearner, MAACLearnerSettings
from cohort.learners.actor_critic.mirror_descent import tsallis_log
from cohort.learners.actor_critic.trust_regions import TrustRegionSettings
from cohort.learners.base import Loss


class MAMDLearnerSettings(MAACLearnerSettings, TrustRegionSettings):
    tsallis_q: float = Field(
        ge=0, lt=2, description="q of the logarithm log_q in the proximity term; 1 is the KL divergence"
    )
    constrained_agents: tuple[int, ...] | Literal["all"] = Field(
        description="the agents with a trust region, as [0, 2], counted from 0; the others climb as MAAC's do"
    )
    actor_entropy: bool = Field(
        description="the actors with a trust region keep MAAC's entropy term; without, the proximity term replaces it"
    )


class Standing(NamedTuple):
    """Where the actors stand at the replayed observations; all but `decisions` is constant."""

    decisions: Decisions
    old_log_probs: Tensor  # [B, N, A]
    values: Tensor  # [B, N, A]: Q_i(o, (., a_-i))
    advantages: Tensor  # [B, N]


class MAMDLearner(MAACLearner):
    """MAMD (Dealing with Non-Stationarity in MARL via Trust-Region Decomposition, ICLR 2022, 3.2, Algorithm 3).

    Actor i minimises the mean of log pi_i(a_i | o_i) [(log_q pi_i - log_q pi_i^old)(a_i | o_i) / delta_i - A_i]', a
    from the live policies, [.]' constant: with q = 1 it climbs E[A_i] - KL(pi_i || pi_i^old) / delta_i. The old
    policies are copies made every m updates; at pi = pi^old the term has no gradient. All the rest is MAAC.
    Departs from it in: the term's sign, printed the other way round, which would drive the policies apart.
    """

    Settings = MAMDLearnerSettings

    def __init__(self, settings: MAMDLearnerSettings, **parts: Any) -> None:
        """Raises `ValueError` where the settings speak of agents that do not exist."""
        super().__init__(settings, **parts)
        device = self.actor_parameters[0].device
        self.trust_regions = torch.tensor(settings.sizes(self.n_agents), device=device)  # delta: [N]
        self.constrained = torch.tensor(_constrained(settings, self.n_agents), device=device)  # [N] bool
        self.entropic = ~self.constrained | settings.actor_entropy

    def step(self, batch: Transitions) -> Metrics:
        metrics = self.minimise_critic(self.critic_loss(batch))
        standing = self.standing(batch)
        metrics |= self.kl_metrics(standing.decisions, standing.old_log_probs)
        metrics |= self.adapt(batch, standing)
        return metrics | self.minimise("actor", self.held_actor_loss(standing))

    def decisions(self, batch: Transitions) -> Decisions:
        """The actors' decisions that are judged: drawn anew at the replayed observations."""
        return self.decide(self.policy, batch.obs, batch.available_actions)

    def standing(self, batch: Transitions) -> Standing:
        decisions = self.decisions(batch)
        old_log_probs = self.old_log_probs(batch)
        values = self.values(batch.obs, decisions)
        chances = decisions.log_probs.detach().exp()
        advantages = counterfactual_advantage(values, chances, decisions.actions)
        return Standing(decisions, old_log_probs, values, advantages)

    def adapt(self, batch: Transitions, standing: Standing) -> Metrics:
        """What moves besides critic and actors, between them: nothing."""
        return {}

    def held_actor_loss(self, standing: Standing) -> Loss:
        return self.actor_loss(standing.decisions, self.held_weight(standing))

    def held_weight(self, standing: Standing) -> Tensor:
        """What speaks against each decision, constant: [B, N]."""
        decisions, q = standing.decisions, self.settings.tsallis_q
        chosen, old = decisions.chosen.detach(), taken(standing.old_log_probs, decisions.actions)
        moved = (tsallis_log(chosen, q) - tsallis_log(old, q)) / self.trust_regions.detach()
        entropy = torch.where(self.entropic, chosen / self.settings.reward_scale, 0.0)
        return entropy + torch.where(self.constrained, moved, 0.0) - standing.advantages


def _constrained(settings: MAMDLearnerSettings, n_agents: int) -> list[bool]:
    """Whether each agent has a trust region."""
    if settings.constrained_agents == "all":
        return [True] * n_agents
    if unknown := set(settings.constrained_agents) - set(range(n_agents)):
        raise ValueError(
            f"constrained_agents ({list(settings.constrained_agents)}) has {sorted(unknown)}, and the {n_agents} "
            f"agents are 0 to {n_agents - 1}: name some of them as [0, 1], nobody by [], or all"
        )
    return [i in settings.constrained_agents for i in range(n_agents)]
