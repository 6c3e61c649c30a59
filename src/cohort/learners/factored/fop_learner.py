"""FOP: actors that are as random as their temperature asks, under a joint value with weighted advantages."""

from collections.abc import Callable
from functools import partial

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.components.averages import Metrics
from cohort.components.distributions import Categorical
from cohort.components.episodes import Episodes
from cohort.components.functional import taken
from cohort.components.returns import td_lambda_returns
from cohort.components.schedules import LinearSchedule
from cohort.components.seeding import generator
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.base import DiscountSettings, Learner, Loss
from cohort.learners.factored.rewards import refuse_own_rewards
from cohort.learners.mixing import Networks, refuse_other_mixer
from cohort.learners.optimisers import RMSprop
from cohort.learners.packed import PackedEpisodes
from cohort.learners.targets import HardTargetSettings
from cohort.learners.temporal_difference import temporal_difference

TWINS = (1, 2)


class FOPLearnerSettings(HardTargetSettings, DiscountSettings):
    lr: float = Field(gt=0, description="learning rate of the actors' RMSprop")
    critic_lr: float = Field(gt=0, description="learning rate of the RMSprop of each critic and its mixer")
    optim_alpha: float = Field(ge=0, lt=1, description="RMSprop's smoothing of squared gradients")
    optim_eps: float = Field(gt=0, description="RMSprop's term for numerical stability")
    grad_norm_clip: float = Field(
        gt=0, description="largest norm of the actors' gradient, and of each critic's with its mixer"
    )
    td_lambda: float = Field(ge=0, le=1, description="lambda of the critics' targets: 0 looks one step ahead")
    alpha_start: float = Field(gt=0, description="alpha, what entropy is worth, at the first step")
    alpha_finish: float = Field(gt=0, description="the same after the annealing")
    alpha_anneal_time: int = Field(ge=1, description="environment steps over which alpha falls in a line")
    epsilon_in_policy: bool = Field(
        description="actors learn as they explore: epsilon's uniform actions are part of the policy that is improved"
    )


class FOPLearner(Learner):
    """FOP (Factorizing Optimal Joint Policy, PMLR 139, ICML 2021, section 4; its authors' code).

    Each twin k has critics Q_i(o_i, .), values V_i = alpha logsumexp(Q_i / alpha) over the available actions, and a
    mixer. Both follow one target: TD(lambda) returns of the smaller of the target mixes at actions that the actors
    draw, less alpha times the mean log-chance of the next ones. Actor i minimises, for every step of its own,
    sum_a pi_i(a) (alpha log pi_i(a) - min_k Q_i^k(a)).
    """

    Settings = FOPLearnerSettings
    parts = ("critic", "mixer")
    policy_kind = "action probabilities"
    critic_values = "utilities"

    def __init__(
        self,
        settings: FOPLearnerSettings,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        make_critic: Callable[..., nn.Module],
        make_mixer: Callable[..., nn.Module],
        device: torch.device,
        seed: int,
    ) -> None:
        """`policy` and what the factories make stand on `device`; `seed` feeds the actions of the targets."""
        refuse_own_rewards(spec)
        networks: dict[str, nn.Module] = {"policy": policy}
        for twin in TWINS:
            networks |= {f"critic_{twin}": make_critic(), f"mixer_{twin}": make_mixer()}
        refuse_other_mixer(networks["mixer_1"], ("utilities", "state", "actions", "values"))
        followed = [name for name in networks if name != "policy"]
        super().__init__(settings, networks, dict.fromkeys(followed, settings.target_rule))
        self.policy, self.n_actions = policy, spec.n_actions
        self.alpha_schedule = LinearSchedule(
            settings.alpha_start, settings.alpha_finish, settings.alpha_anneal_time
        )
        self.generator = generator(seed, "policy samples", device)
        self.keep(generator=self.generator)
        for name, moved, rate in (
            ("actor", ("policy",), settings.lr),
            *((f"critic_{twin}", (f"critic_{twin}", f"mixer_{twin}"), settings.critic_lr) for twin in TWINS),
        ):
            rmsprop = partial(RMSprop, lr=rate, alpha=settings.optim_alpha, eps=settings.optim_eps)
            self.add_networks_loss(name, moved, rmsprop, grad_norm_clip=settings.grad_norm_clip)

    @property
    def alpha(self) -> float:
        return self.alpha_schedule.at(self.t_env)

    def step(self, batch: Episodes) -> Metrics:
        packed = PackedEpisodes.of(batch, self.policy)
        metrics = self.minimise("actor", self.actor_loss(packed))
        target = self.target(packed)
        for twin in TWINS:
            metrics |= self.minimise(f"critic_{twin}", self.critic_loss(packed, target, twin))
        return {"alpha": torch.tensor(self.alpha), "critic_loss": metrics["critic_1_loss"], **metrics}

    def actor_loss(self, batch: PackedEpisodes) -> Loss:
        decision = self.decisions(batch, batch.packing.before_steps)
        with torch.no_grad():
            obs = batch.obs_before
            values = torch.minimum(*(self.networks[f"critic_{twin}"](obs) for twin in TWINS))  # [R, N, A]
        log_probs = decision.log_probs.masked_fill(~decision.available, 0.0)  # chances of 0 count nothing
        chances = log_probs.exp().masked_fill(~decision.available, 0.0)
        loss = (chances * (self.alpha * log_probs - values)).sum(dim=-1).mean()
        return Loss(loss, {"entropy": decision.entropy().detach().mean()})

    @torch.no_grad()
    def target(self, batch: PackedEpisodes) -> Tensor:
        """What both critics follow: [B, T, 1]."""
        packing, episodes = batch.packing, batch.episodes
        decision = self.decisions(batch, packing.after_steps)
        actions = decision.sample(self.generator)  # [R, N]
        obs, state = packing.after_steps(batch.obs), batch.states_after
        joint = torch.minimum(
            *(self.joint(self.targets, twin, obs, state, actions, decision.available) for twin in TWINS)
        )
        returns = td_lambda_returns(
            episodes.reward,
            episodes.terminated,
            packing.padded(joint),
            episodes.mask,
            self.settings.gamma,
            self.settings.td_lambda,
        )
        surprise = packing.padded(decision.log_prob(actions).mean(dim=-1, keepdim=True))
        return returns - self.alpha * surprise.masked_fill(episodes.terminated.unsqueeze(-1), 0.0)

    def critic_loss(self, batch: PackedEpisodes, target: Tensor, twin: int) -> Loss:
        packing, episodes = batch.packing, batch.episodes
        joint = self.joint(
            self.networks,
            twin,
            batch.obs_before,
            batch.states_before,
            packing.of_steps(episodes.actions),
            packing.before_steps(batch.available_actions),
        )
        return temporal_difference(packing.padded(joint), target, episodes.mask.unsqueeze(-1))

    def joint(
        self, networks: Networks, twin: int, obs: Tensor, state: Tensor, actions: Tensor, available: Tensor
    ) -> Tensor:
        """Q_tot of R rows by one of the twins: [R, N, O], [R, S], [R, N], [R, N, A] bool -> [R, 1]."""
        utilities = networks[f"critic_{twin}"](obs)
        possible = utilities.masked_fill(~available, -torch.inf)
        values = self.alpha * torch.logsumexp(possible / self.alpha, dim=-1)
        rows = F.one_hot(actions, self.n_actions).to(utilities.dtype)
        return networks[f"mixer_{twin}"](taken(utilities, actions), state, rows, values)

    def decisions(self, batch: PackedEpisodes, rows: Callable[[Tensor], Tensor]) -> Categorical:
        """The actors' at the moments that `rows` picks: R decisions of N agents."""
        values = rows(self.policy.unroll_packed(batch.inputs, batch.packing))
        decision = self.policy.decide(values, rows(batch.available_actions))
        if self.settings.epsilon_in_policy:
            return self.policy.action_selector.behaviour(decision, self.t_env)
        return decision
