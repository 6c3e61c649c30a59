"""The team's policy: inputs, a network, a head that says what its outputs mean, and a way to explore."""

import copy
from typing import Any, NamedTuple, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.components.distributions import Decision
from cohort.components.episodes import Episodes
from cohort.components.packing import Packing
from cohort.components.pictures import as_numbers
from cohort.envs.base import EnvSpec, Observation
from cohort.settings import Settings

Draws = torch.Generator | None  # what actions are drawn from; None: they are greedy


class TeamPolicySettings(Settings):
    obs_last_action: bool = Field(description="each agent sees its own previous action")
    obs_agent_id: bool = Field(description="each agent sees which agent it is")
    test_greedy: bool = Field(
        default=True,
        description="tests take the best or likeliest action; False: they draw by the policy's chances, if it has any",
    )


class Memory(NamedTuple):
    """What the team carries from one step to the next."""

    hidden: (
        Tensor | None
    )  # what the network remembers; None before the first step, and where it has no memory
    last_actions: (
        Tensor | None
    )  # [B, N] int64, -1 before the first step, or [B, N, U]; None where nobody looks at it


class Act(NamedTuple):
    """What the team does in one step."""

    actions: Tensor  # [B, N] int64, or [B, N, U] float32
    memory: Memory
    extras: dict[str, Tensor]  # {name: [B, ...] float32} what goes into the record besides


class GreedyStep(NamedTuple):
    """One greedy step as tensor operations alone."""

    actions: Tensor  # [B, N] int64, or [B, N, U] float32
    values: Tensor  # [B, N, V] what the head makes of the network's outputs
    memory: Any  # of tensors and None, of the policy's own kind


class TeamPolicy(nn.Module):
    """Acts step by step while collecting, and evaluates whole batches while learning, with the same weights.

    The network's outputs become `values` by the head: utilities [.., A], logits [.., A], actions [.., U], or means and
    log deviations [.., 2 U]; `decide` makes of them what can be sampled and asked for probabilities.
    """

    Settings = TeamPolicySettings

    provides = ("single_resets",)  # `begun_anew`

    def __init__(
        self,
        settings: TeamPolicySettings,
        *,
        spec: EnvSpec,
        agent: Any,
        head: nn.Module,
        action_selector: Any,
        extras: tuple[str, ...] = (),
    ) -> None:
        """Build the network.

        Args:
            settings: what agents see besides their observation.
            spec: the environment's sizes.
            agent: `agent(input_dim=, output_dim=, n_agents=)` makes the network once its sizes are known.
            head: what the outputs mean.
            action_selector: how it explores: `select(decision, t_env, generator)` and, where `extras` are kept,
                `behaviour(decision, t_env)`, what it draws from.
            extras: what the record is to keep of each step; `log_prob`: of the action that was taken, [B, N].
        """
        super().__init__()
        self.settings, self.spec, self.action_selector, self.extras = settings, spec, action_selector, extras
        self._make_network = agent
        self.action_size = spec.action_dim or spec.n_actions
        self.input_dim = (
            spec.obs_dim + self.action_size * settings.obs_last_action + spec.n_agents * settings.obs_agent_id
        )
        self.network = agent(input_dim=self.input_dim, output_dim=head.output_dim, n_agents=spec.n_agents)
        head.begin(self.network)
        self.head = head
        self.register_buffer("agent_ids", torch.eye(spec.n_agents), persistent=False)
        # one row for each action, and a row of zeros where there was none
        self.register_buffer("action_codes", F.pad(torch.eye(spec.n_actions), (0, 0, 1, 0)), persistent=False)

    def fresh(self) -> Self:
        """A policy of the same kind with initial weights of its own, for methods that want a second one."""
        return type(self)(
            self.settings,
            spec=self.spec,
            agent=self._make_network,
            head=copy.deepcopy(self.head),
            action_selector=self.action_selector,
            extras=self.extras,
        ).to(self.agent_ids.device)

    @property
    def extra_shapes(self) -> dict[str, tuple[int, ...]]:
        """What one step's `extras` look like, for memories."""
        return dict.fromkeys(self.extras, (self.spec.n_agents,))

    def initial_memory(self, batch_size: int) -> Memory:
        if not self.settings.obs_last_action:
            return Memory(None, None)
        shape, device = (batch_size, self.spec.n_agents), self.agent_ids.device
        if self.spec.action_dim:
            return Memory(None, torch.zeros(*shape, self.spec.action_dim, device=device))
        return Memory(None, torch.full(shape, -1, device=device))

    def begun_anew(self, memory: Memory, games: Tensor) -> Memory:
        """The memory of a first step in some `games` [B] bool, and `memory`, which is of a later one, in the others."""
        hidden, last_actions = memory
        if hidden is not None:
            hidden = self.network.begun_anew(hidden, games)
        if last_actions is not None:
            none = 0 if self.spec.action_dim else -1
            last_actions = last_actions.masked_fill(games.view(-1, *[1] * (last_actions.dim() - 1)), none)
        return Memory(hidden, last_actions)

    @torch.inference_mode()
    def act(
        self, observation: Observation, memory: Memory, t_env: int, generator: Draws, explore: bool = True
    ) -> Act:
        """One step of the team with `generator`'s randomness, exploring or as it is tested; without one, greedily."""
        values, hidden = self._step(observation.obs, memory)
        decision = self.decide(values, observation.available_actions)
        if generator is None or (self.settings.test_greedy and not explore):
            actions = decision.mode
        elif explore:
            actions = self.action_selector.select(decision, t_env, generator)
            if self.extras:
                decision = self.action_selector.behaviour(decision, t_env)  # the chances that they really had
        else:
            actions = decision.sample(generator)
        extras = {name: getattr(decision, name)(actions) for name in self.extras}
        return Act(actions, Memory(hidden, actions if self.settings.obs_last_action else None), extras)

    def first_memory(self, batch_size: int) -> Any:
        """`initial_memory` for `greedy_step`: nothing in it but tensors and None, which stands for zeros."""
        return self.initial_memory(batch_size)

    def greedy_step(self, obs: Tensor, available_actions: Tensor, memory: Any) -> GreedyStep:
        """What `act` does without exploring, for policies that leave the program (`cohort.portable`).

        [B, N, O], [B, N, A] bool. No Python depends on what stands in the tensors, so that it can be recorded.
        """
        values, hidden = self._step(obs, memory)
        actions = self.decide(values, available_actions).mode
        return GreedyStep(actions, values, Memory(hidden, actions if self.settings.obs_last_action else None))

    def _step(self, obs: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """[B, N, O] -> values [B, N, V], and what the network remembers."""
        outputs, hidden = self.network.step(self._inputs(obs, memory.last_actions), memory.hidden)
        return self.head(outputs), hidden

    def decide(self, values: Tensor, available_actions: Tensor) -> Decision:
        """What can be sampled and asked for probabilities: [..., N, V] and [..., N, A] bool."""
        return self.head.decide(values, available_actions)

    def inputs(self, episodes: Episodes) -> Tensor:
        """What the agents' networks read: [B, T+1, N, I]. Made once, unrolled by live and target networks."""
        last_actions = episodes.last_actions if self.settings.obs_last_action else None
        return self._inputs(episodes.obs, last_actions)

    def unroll(self, inputs: Tensor, episodes: Episodes) -> Tensor:
        """Values at every moment of whole episodes in one call: [B, T+1, N, I] -> [B, T+1, N, V]."""
        return self.head(self.network(inputs, episodes.length + 1))

    def packed_inputs(self, episodes: Episodes, packing: Packing) -> Tensor:
        """`inputs` of the real moments alone: [P, N, I]."""
        last_actions = packing.of_moments(episodes.last_actions) if self.settings.obs_last_action else None
        return self._inputs(packing.of_moments(episodes.obs), last_actions)

    def unroll_packed(self, inputs: Tensor, packing: Packing) -> Tensor:
        """`unroll` of the real moments alone: [P, N, I] -> [P, N, V]."""
        return self.head(self.network.unroll(inputs, packing.sizes))

    def forward(self, obs: Tensor) -> Tensor:
        """Values of single moments, [B, N, O] -> [B, N, V], of a network without a memory."""
        return self.head(self.network(self._inputs(obs, None)))

    def _inputs(self, obs: Tensor, last_actions: Tensor | None) -> Tensor:
        """[..., N, O], [..., N] or [..., N, U] -> [..., N, I]: observation, last action (zeros first), agent."""
        parts = [as_numbers(obs)]
        if last_actions is not None:
            discrete = not self.spec.action_dim
            parts.append(F.embedding(last_actions + 1, self.action_codes) if discrete else last_actions)
        if self.settings.obs_agent_id:
            parts.append(self.agent_ids.expand(*obs.shape[:-1], -1))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
