"""ADER for continuous actions: what is drawn from the policies stands in place of sums over actions."""

from typing import Any

import torch
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.transitions import Transitions
from cohort.envs.base import EnvSpec
from cohort.learners.base import Descent, Loss
from cohort.learners.factored.ader_learner import ADERLearner, Moment
from cohort.learners.packed import PackedEpisodes


class ADERContinuousLearner(ADERLearner):
    """ADER for continuous actions, from whole episodes: V_i = Q_i(o_i, a_i) and H(pi_i) = -log pi_i(a_i).

    One action a_i is drawn for each agent and moment; gradients reach the policy through it (appendix C.2).
    """

    policy_kind = "action densities"
    critic_values = "action utilities"

    def __init__(self, settings: Any, *, spec: EnvSpec, **parts: Any) -> None:
        if settings.metric == "cr":
            raise ValueError("metric=cr needs the chances of discrete actions: metric=paper")
        super().__init__(settings, spec=spec, **parts)
        self._drawn_shape = spec.n_agents, spec.action_dim

    def has_choice(self, available_actions: Tensor) -> Tensor:
        """Always: [R, N, 0] -> [R, N]."""
        return torch.ones(available_actions.shape[:-1], dtype=torch.bool, device=available_actions.device)

    def noise(self, rows: int) -> tuple[Tensor, Tensor]:
        """Standard normal, [R, N, U] each."""
        shape, device = (rows, *self._drawn_shape), self.generator.device
        before, after = (torch.randn(shape, generator=self.generator, device=device) for _ in range(2))
        return before, after

    def drawn(self, decision: Any, noise: Tensor) -> tuple[Tensor, Tensor]:
        actions, log_prob = decision.of_noise(noise)
        return actions, -log_prob

    def policy_utilities(self, value: nn.Module, moment: Moment) -> Tensor:
        """V_i = Q_i(o_i, a_i) of the actions that were drawn: [R, N]."""
        return value.utilities(moment.obs, moment.policy)

    def taken_utilities(self, value: nn.Module, obs: Tensor, actions: Tensor) -> Tensor:
        return value.utilities(obs, actions)


class ADERStepsLearner(ADERContinuousLearner):
    """The same from single steps: policies without a memory, one-step targets."""

    recurrent = False
    learns_from = "steps"

    def __init__(self, settings: Any, **parts: Any) -> None:
        super().__init__(settings, **parts)
        self._of_critics = self.recorded_descents(self._critic_losses_of_steps)
        self._of_actors = self.recorded(self._actor_descents_of_steps)

    def step(self, batch: Transitions) -> Metrics:
        before, after = self.noise(batch.batch_size)
        metrics = self.descend(self._of_critics(batch, after))
        descents, entropy, gain = self._of_actors(batch, before)
        return metrics | self.descend(descents) | self.follow(entropy, gain)

    def _critic_losses_of_steps(self, batch: Transitions, noise: Tensor) -> dict[str, Loss]:
        with torch.no_grad():
            after = self.moment(
                self.policy(batch.next_obs),
                batch.next_available_actions,
                batch.next_obs,
                batch.next_state,
                noise,
            )
        return self.critic_losses(PackedEpisodes.of_single_steps(batch, self.policy), after)

    def _actor_descents_of_steps(
        self, batch: Transitions, noise: Tensor
    ) -> tuple[dict[str, Descent], Tensor, Tensor]:
        """With the entropies and what each agent contributed, [B, N] both."""
        before = self.moment(self.policy(batch.obs), batch.available_actions, batch.obs, batch.state, noise)
        losses, gain = self.actor_losses(before)
        return self.descents(losses), before.entropy.detach(), gain
