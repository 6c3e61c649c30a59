"""ADER: entropy-regularised actors of a factored critic, each with a target entropy of its own that is learned."""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.functional import one_step_target, taken
from cohort.components.returns import td_lambda_returns
from cohort.components.seeding import generator
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.base import DiscountSettings, Learner, Loss
from cohort.learners.factored.factored_value import FactoredValue, SeparateValues
from cohort.learners.factored.rewards import refuse_own_rewards
from cohort.learners.factored.target_entropies import TargetEntropies, TargetEntropySettings
from cohort.learners.factored.temperatures import Temperatures, TemperatureSettings
from cohort.learners.optimisers import Adam, RMSprop
from cohort.learners.packed import PackedEpisodes
from cohort.learners.targets import ChosenTargetSettings

REWARD, ENTROPY = "critic", "entropy_critic"


class ADERLearnerSettings(TargetEntropySettings, TemperatureSettings, ChosenTargetSettings, DiscountSettings):
    actor_lr: float = Field(gt=0, description="learning rate of the policy")
    critic_lr: float = Field(gt=0, description="learning rate of the critics and their mixers")
    alpha_lr: float = Field(ge=0, description="learning rate of the temperatures; 0: they stay")
    optimiser: Literal["rmsprop", "adam"] = Field(description="of all networks and temperatures")
    optim_alpha: float = Field(ge=0, lt=1, description="RMSprop's smoothing of squared gradients")
    optim_eps: float = Field(gt=0, description="the optimiser's term for numerical stability")
    grad_norm_clip: float = Field(
        gt=0, description="largest norm of the policy's gradient, and of each kind of critic's"
    )
    td_lambda: float = Field(
        ge=0, le=1, description="lambda of the critics' targets: 0 looks one step ahead, as the paper"
    )
    twin: bool = Field(description="two critics of each kind, of which the smaller value counts")
    critics: Literal["disentangled", "soft"] = Field(
        description="one kind of critic for rewards and one for entropies, or one soft value of both (an ablation)"
    )
    entropy_scale: Literal["alpha", "one"] = Field(
        description="c_i, what an agent's entropy counts in its entropy critic: alpha_i (the paper's appendix and the "
        "authors' code), or 1 (equation 9)"
    )
    entropy_nets: Literal["shared", "separate"] = Field(
        description="agents' entropy critics share utilities and a mixer with N outputs, or have their own"
    )
    entropy_lambda: Literal["unbiased", "code"] = Field(
        description="each step's entropy counts in lambda returns as a reward, or, as in the authors' code, within the "
        "value that 1 - td_lambda weighs"
    )
    eps_in_learner: bool = Field(
        description="the policy that is learned is the exploring one, epsilon included (the authors' code)"
    )

    @model_validator(mode="after")
    def limits_are_in_order(self):
        if self.alpha_min > self.alpha_max:
            raise ValueError(f"alpha_min ({self.alpha_min}) is more than alpha_max ({self.alpha_max})")
        return self


class Moment(NamedTuple):
    """What stands before, or after, R real steps."""

    obs: Tensor  # [R, N, O]
    state: Tensor  # [R, S]
    policy: Tensor  # what the present policies do there: chances [R, N, A], or drawn actions [R, N, U]
    entropy: Tensor  # [R, N], H(pi_i)
    choice: Tensor  # [R, N] bool, whether an agent has more than one action


class ADERLearner(Learner):
    """ADER for discrete actions (An Adaptive Entropy-Regularization Framework for Multi-Agent RL, appendix B).

    Joint values f(s; Q_1, ..., Q_N) of rewards, and of each agent's future entropies, follow TD(lambda) returns of the
    present policies; the policies climb V^R + sum_i alpha_i (V^H_i + H(pi_i)), where V = f(s; V_1, ..., V_N) has
    V_i = sum_a pi_i(a) Q_i(a) in place of Q_i. alpha_i holds the entropy at H_i = beta_i H_0, and beta follows
    dV^R / dV_i: who contributes least explores most.
    Departs from it in: twin critics, TD(lambda), clipped temperatures (the authors' code); agents without a choice, as
    dead ones, do not move temperatures. docs/ader.md has a line for each reading.
    """

    Settings = ADERLearnerSettings
    parts = ("critic", "mixer")
    policy_kind: str = "action probabilities"
    critic_values = "utilities"

    def __init__(
        self,
        settings: ADERLearnerSettings,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        make_critic: Callable[..., nn.Module],
        make_mixer: Callable[..., nn.Module],
        device: torch.device,
        seed: int,
    ) -> None:
        """`policy` and what the factories make stand on `device`; `seed` feeds what policies are asked to draw."""
        refuse_own_rewards(spec)
        copies = range(1, 1 + (2 if settings.twin else 1))
        kinds: dict[str, Callable[[], nn.Module]] = {
            REWARD: lambda: FactoredValue(make_critic(), make_mixer())
        }
        if settings.critics == "disentangled":
            kinds[ENTROPY] = lambda: entropy_value(settings, spec, make_critic, make_mixer)
        self.names = {kind: [f"{kind}_{copy}" for copy in copies] for kind in kinds}
        values = {name: make() for kind, make in kinds.items() for name in self.names[kind]}
        self.temperatures = Temperatures(settings, n_agents=spec.n_agents).to(device)
        networks = {"policy": policy, "temperatures": self.temperatures, **values}
        super().__init__(settings, networks, dict.fromkeys(values, settings.target_rule))
        self.policy = policy
        self.target_entropies = TargetEntropies(settings, spec=spec, device=device)
        self.generator = generator(seed, "policy samples", device)
        self.keep(target_entropies=self.target_entropies, generator=self.generator)
        self._add_losses()

    def _add_losses(self) -> None:
        """Each kind of critic, the actors and the temperatures move by themselves."""
        settings, clip = self.settings, self.settings.grad_norm_clip
        moved = {kind: (names, settings.critic_lr, clip) for kind, names in self.names.items()}
        moved |= {
            "actor": (["policy"], settings.actor_lr, clip),
            "alpha": (["temperatures"], settings.alpha_lr, None),
        }
        for loss, (names, rate, limit) in moved.items():
            optimiser = partial(Adam, lr=rate, eps=settings.optim_eps, fused=True)
            if settings.optimiser == "rmsprop":
                optimiser = partial(RMSprop, lr=rate, alpha=settings.optim_alpha, eps=settings.optim_eps)
            self.add_networks_loss(loss, names, optimiser, grad_norm_clip=limit)

    def step(self, batch: Episodes) -> Metrics:
        packed = PackedEpisodes.of(batch, self.policy)
        before, after = self.moments(packed, self.noise(len(packed.packing.steps)))
        metrics = self.descend(self.descents(self.critic_losses(packed, after)))
        losses, gain = self.actor_losses(before)
        metrics |= self.descend(self.descents(losses))
        return metrics | self.follow(before.entropy, gain)

    # what the present policies do

    def noise(self, rows: int) -> tuple[Tensor | None, Tensor | None]:
        """What policies draw from before and after each of so many steps; these draw nothing."""
        return None, None

    def moments(
        self, batch: PackedEpisodes, noise: tuple[Tensor | None, Tensor | None]
    ) -> tuple[Moment, Moment]:
        """Before each step, where gradients reach the policy, and after it, where none do."""
        packing = batch.packing
        values = self.policy.unroll_packed(batch.inputs, packing)  # [P, N, V]
        available = batch.available_actions
        before = self.moment(
            packing.before_steps(values),
            packing.before_steps(available),
            batch.obs_before,
            batch.states_before,
            noise[0],
        )
        with torch.no_grad():
            return before, self.moment(
                packing.after_steps(values.detach()),
                packing.after_steps(available),
                packing.after_steps(batch.obs),
                batch.states_after,
                noise[1],
            )

    def moment(
        self, values: Tensor, available: Tensor, obs: Tensor, state: Tensor, noise: Tensor | None
    ) -> Moment:
        """R rows: the policies' `values` [R, N, V], [R, N, A] bool, [R, N, O], [R, S]."""
        decision = self.policy.decide(values, available)
        if self.settings.eps_in_learner:
            decision = self.policy.action_selector.behaviour(decision, self.t_env)
        return Moment(obs, state, *self.drawn(decision, noise), self.has_choice(available))

    def has_choice(self, available_actions: Tensor) -> Tensor:
        """[R, N, A] -> [R, N]: agents that are dead, or have one thing to do, have no entropy to give."""
        return available_actions.sum(dim=-1) > 1

    def drawn(self, decision: Any, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the policies do in R rows, as `policy_utilities` reads it, and their entropies, [R, N]."""
        return decision.log_probs.exp(), decision.entropy()

    # values

    def policy_utilities(self, value: nn.Module, moment: Moment) -> Tensor:
        """V_i = sum_a pi_i(a) Q_i(a): [R, N], constant but for the policies."""
        with torch.no_grad():
            utilities = value.utilities(moment.obs)
        return (moment.policy * utilities).sum(dim=-1)

    def taken_utilities(self, value: nn.Module, obs: Tensor, actions: Tensor) -> Tensor:
        """Q_i(a_i) of the actions that were played: [R, N]."""
        utilities = value.utilities(obs)
        return taken(utilities, actions.expand(utilities.shape[:-1]))

    def joint(self, networks: Any, kind: str, moment: Moment) -> tuple[Tensor, list[Tensor]]:
        """V = min_k f_k(s; V_1, ..., V_N), [R, J], and the V_i of each copy k, [R, N]."""
        values = [networks[name] for name in self.names[kind]]
        utilities = [self.policy_utilities(value, moment) for value in values]
        joint = [value.joint(own, moment.state) for value, own in zip(values, utilities, strict=True)]
        return reduce(torch.minimum, joint), utilities

    # critics

    def critic_losses(self, batch: PackedEpisodes, after: Moment) -> dict[str, Loss]:
        """Of each kind of critic, by its name."""
        targets = self.targets_of(batch, after)
        return {kind: self.critic_loss(kind, batch, target) for kind, target in targets.items()}

    @torch.no_grad()
    def targets_of(self, batch: PackedEpisodes, after: Moment) -> dict[str, Tensor]:
        """y^R, [R, 1], and y^H, [R, N]: TD(lambda) returns whose values are the target critics'."""
        episodes, packing = batch.episodes, batch.packing
        none = torch.zeros_like(episodes.reward)
        value = self.joint(self.targets, REWARD, after)[0]
        weighted = self.temperatures.values * after.entropy  # [R, N]

        def ahead(entropy: Tensor) -> Tensor:
            """What entropies after each step are worth before it: [R, J] -> [B, T, J]."""
            return one_step_target(none, episodes.terminated, packing.padded(entropy), self.settings.gamma)

        reward = episodes.reward.unsqueeze(-1)
        if self.settings.critics == "soft":
            reward = reward + ahead(weighted.sum(dim=-1, keepdim=True))
            return {REWARD: self.returns(batch, reward, value)}
        future = self.joint(self.targets, ENTROPY, after)[0]
        bonus = weighted if self.settings.entropy_scale == "alpha" else after.entropy
        if self.settings.entropy_lambda == "unbiased":
            entropies = self.returns(batch, ahead(bonus), future)
        else:
            entropies = self.returns(batch, none, future + bonus)
        return {REWARD: self.returns(batch, reward, value), ENTROPY: entropies}

    def returns(self, batch: PackedEpisodes, reward: Tensor, next_value: Tensor) -> Tensor:
        """TD(lambda) of `reward` [B, T] or [B, T, J] and values after each step [R, J] -> [R, J]."""
        episodes, packing = batch.episodes, batch.packing
        returns = td_lambda_returns(
            reward,
            episodes.terminated,
            packing.padded(next_value),
            episodes.mask,
            self.settings.gamma,
            self.settings.td_lambda,
        )
        return packing.of_steps(returns)

    def critic_loss(self, kind: str, batch: PackedEpisodes, target: Tensor) -> Loss:
        """sum_k mean (Q_k - y)^2 over real steps, for entropies the sum over agents: `target` is [R, J]."""
        actions = batch.packing.of_steps(batch.episodes.actions)
        joint = []
        for name in self.names[kind]:
            value = self.networks[name]
            utilities = self.taken_utilities(value, batch.obs_before, actions)
            joint.append(value.joint(utilities, batch.states_before))
        loss = sum((each - target).square().sum(dim=-1).mean() for each in joint)
        name = "q_taken" if kind == REWARD else "entropy_q_taken"
        return Loss(loss, {f"{name}_mean": joint[0].detach().mean(), f"{name}_target_mean": target.mean()})

    # actors and temperatures

    def actor_losses(self, before: Moment) -> tuple[dict[str, Loss], Tensor]:
        """Of the policies and of their temperatures, and what each agent contributed, [R, N]."""
        actor, gain = self.actor_loss(before)
        return {"actor": actor, "alpha": self.alpha_loss(before)}, gain

    def actor_loss(self, before: Moment) -> tuple[Loss, Tensor]:
        """-mean [V^R + sum_i alpha_i (V^H_i + H(pi_i))], and what each agent contributed, [R, N]."""
        value, utilities = self.joint(self.networks, REWARD, before)
        gain = sum(torch.autograd.grad(value.sum(), utilities, retain_graph=True))  # dV^R / dV_i
        if self.settings.metric == "cr":
            gain = gain * self.price_of_entropy(before)
        entropies = before.entropy
        if self.settings.critics == "disentangled":
            entropies = entropies + self.joint(self.networks, ENTROPY, before)[0]
        objective = value.squeeze(-1) + (self.temperatures.values * entropies).sum(dim=-1)
        metrics: Metrics = {"v_mean": value.detach().mean(), "entropy": before.entropy.detach().mean()}
        return Loss(-objective.mean(), metrics), gain

    def price_of_entropy(self, before: Moment) -> Tensor:
        """-dV_i / dH_i, as the policy moves up its entropy (the camera-ready metric): [R, N], constant.

        The authors' code takes the quotient of differences after a step of 1e-5 along dH / dpi, with 1e-8 beside the
        entropy's; here it is the limit.
        """
        chances = before.policy.detach()
        possible = chances > 0
        slope = torch.where(possible, -1 - torch.where(possible, chances, 1.0).log(), 0.0)  # dH / dpi
        along = slope - chances * slope.sum(dim=-1, keepdim=True)  # and back to a sum of 1
        with torch.no_grad():
            utilities = self.networks[self.names[REWARD][0]].utilities(before.obs)
        return -(along * utilities).sum(dim=-1) / ((along * slope).sum(dim=-1) + 1e-3)

    def alpha_loss(self, before: Moment) -> Loss:
        counted = torch.ones_like(before.choice) if self.settings.alpha_include_dead else before.choice
        loss = self.temperatures.loss(before.entropy, self.target_entropies.values, counted)
        return Loss(loss, {})

    @torch.no_grad()
    def follow(self, entropy: Tensor, gain: Tensor) -> Metrics:
        """Target entropies follow what agents contributed; what to log of each after the update: [R, N] both."""
        self.target_entropies.update(gain)
        each = {
            "alpha": self.temperatures.values,
            "target_entropy": self.target_entropies.values,
            "entropy": entropy.mean(dim=0),
            "contribution": gain.mean(dim=0),
        }
        return {
            f"{name}_{agent}": value for name, values in each.items() for agent, value in enumerate(values)
        }


def entropy_value(
    settings: ADERLearnerSettings,
    spec: EnvSpec,
    make_critic: Callable[..., nn.Module],
    make_mixer: Callable[..., nn.Module],
) -> nn.Module:
    """N joint values, of each agent's future entropies."""
    if settings.entropy_nets == "shared":
        return FactoredValue(make_critic(), make_mixer(outputs=spec.n_agents))
    return SeparateValues([FactoredValue(make_critic(), make_mixer()) for _ in range(spec.n_agents)])
