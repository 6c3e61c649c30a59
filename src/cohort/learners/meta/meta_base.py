"""What learners share that are tried on chains of joint policies: a first policy, and what it becomes among peers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from cohort.chains.games import ChainGame
from cohort.chains.matches import Policies
from cohort.chains.sampled import Baseline, InnerObjective, SampledStage, Sampling
from cohort.chains.unroll import Nodes, unroll
from cohort.components.averages import Metrics
from cohort.components.seeding import generator
from cohort.components.state import Part, restore, state_of
from cohort.modules.policies import Params, Policy
from cohort.modules.policies.lstm import GaussianLSTMPolicy, LSTMNetwork, LSTMPolicy
from cohort.modules.policies.table import TablePolicy
from cohort.settings import Settings

MetaPolicy = Literal["lstm", "table"]


class ChainSettings(Settings):
    chain_length: int = Field(ge=1, description="L, updates of every agent in a chain of joint policies")
    gamma: float = Field(ge=0, lt=1, description="discount factor")
    inner_lr: float = Field(description="step size of the agent's own updates in a chain, where it begins")
    peer_lr: float = Field(ge=0, description="step size of the peers' updates in a chain")


class MetaLearnerSettings(ChainSettings):
    trajectories: int = Field(ge=1, description="K, matches that are played under each joint policy")
    meta_policy: MetaPolicy = Field(
        description="the agent's policy in a game of discrete states, where its peers' are tables; lstm elsewhere"
    )
    rnn_hidden_dim: int = Field(ge=1, description="size of the recurrent network and the layer before it")
    inner_baseline: Baseline = Field(
        description="what is taken off returns in a chain's updates: the linear feature baseline, or none"
    )
    chains_at_once: int = Field(
        ge=1, description="chains whose graphs are in memory at the same time; changes no result"
    )


class DifferentiatedChainSettings(ChainSettings):
    """Of learners that follow a gradient through the agents' updates."""

    own_learning: bool = Field(
        description="the agent's own updates are differentiated; False: they count as constants"
    )
    dice_nodes: Nodes = Field(
        description="an agent's inner objective is a function of all agents' parameters (all), or of its own"
    )


class LookAheadSettings(MetaLearnerSettings):
    """Of learners that play what they differentiate twice."""

    inner_objective: InnerObjective = Field(
        description="dice (the paper), or loaded: the same first derivative, less variance in the second"
    )


class Adaptation(NamedTuple):
    """What chains from the first policy came to, joint policy by joint policy."""

    scores: Tensor  # [C, L+1, N] every agent's mean reward per step
    action_shares: Tensor  # [C, L+1, N, A] how often it took each action; A is 0 where they are continuous


class ChainLearner(ABC):
    """The agent that is put among learning peers; how it learns from that is the method's."""

    subject = "meta-agent"  # what it teaches
    parts = ()

    def __init__(
        self,
        settings: ChainSettings,
        policies: tuple[Policy, ...],
        *,
        game: ChainGame,
        steps: int,
        device: torch.device,
        seed: int,
    ) -> None:
        """`game` is played in matches of `steps`; `policies` says how each agent's parameters become behaviour."""
        self.settings, self.policies, self.game, self.steps = settings, policies, game, steps
        self.device, self.seed = device, seed
        self.first = self.fresh(policies[0], "networks")  # the first policy's parameters
        self.rates = torch.full((settings.chain_length,), settings.inner_lr, device=device)  # [L]
        self.updates = 0
        self.best: dict[str, Any] | None = None  # the best snapshot so far, its score and its updates
        self._kept: dict[str, Part] = {}

    def fresh(self, network: Policy | LSTMNetwork, purpose: str) -> Params:
        """Initial parameters, drawn from the stream of that name."""
        drawn = network.initial(generator(self.seed, purpose))
        return {name: each.to(self.device) for name, each in drawn.items()}

    def keep(self, **parts: Part) -> None:
        """Have these saved with the learner."""
        self._kept |= parts

    @property
    @abstractmethod
    def matches_per_chain(self) -> int:
        """Matches that one chain takes."""

    @abstractmethod
    def update(self, peers: Params) -> Metrics:
        """Learn from one chain with each of these first policies of the peers, parameters [C, N-1, ...]."""

    @abstractmethod
    def adapt(self, peers: Params, draws: torch.Generator) -> Adaptation:
        """Chains from the first policy with each of these first policies of the peers. Learns nothing.

        `draws`, a CPU generator, decides all that is random.
        """

    def start(self, peers: Params) -> Policies:
        """The first joint policy of each chain, agent 0's parameters as leaves of their own for every chain."""
        own = {name: spread(each, count(peers)) for name, each in self.first.items()}
        others = (
            {name: each[:, place].contiguous().requires_grad_() for name, each in peers.items()}
            for place in range(self.game.n_agents - 1)
        )
        return [own, *others]

    def inner_rates(self, chains: int) -> list[Tensor]:
        """Step sizes of every agent, [C, L] each; agent 0's are a leaf."""
        peer = torch.full((chains, len(self.rates)), self.settings.peer_lr, device=self.device)
        return [spread(self.rates, chains), *[peer] * (self.game.n_agents - 1)]

    @property
    def _beginning(self) -> dict[str, Part]:
        """What a chain begins with: the part that model selection keeps."""
        return {"first": self.first, "rates": self.rates}

    def snapshot(self) -> dict[str, Any]:
        """A copy of what a chain begins with."""
        return state_of(self._beginning)

    def keep_if_best(self, score: float) -> None:
        """Keep this moment's snapshot if none before had such a validation score."""
        if self.best is None or score > self.best["score"]:
            self.best = {"score": score, "updates": self.updates, "snapshot": self.snapshot()}

    @contextmanager
    def using_best(self) -> Iterator[None]:
        """Inside, chains begin with the best snapshot, or with this moment's where there is none yet."""
        now = self.snapshot()
        restore(self._beginning, self.best["snapshot"] if self.best else now)
        try:
            yield
        finally:
            restore(self._beginning, now)

    def state_dict(self) -> dict[str, Any]:
        return {**state_of(self._beginning | self._kept), "best": self.best, "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        restore(self._beginning | self._kept, state)
        self.best, self.updates = state["best"], state["updates"]


class SampledLearner(ChainLearner):
    """An agent whose chains are played."""

    def __init__(self, settings: MetaLearnerSettings, *, game: ChainGame, **task: Any) -> None:
        policies = make_policies(game, settings.meta_policy, settings.rnn_hidden_dim)
        super().__init__(settings, policies, game=game, **task)
        self.draws = generator(self.seed, "matches")
        self.keep(draws=self.draws)

    @property
    def matches_per_stage(self) -> int:
        """Matches that are played under one joint policy, and for learning from it."""
        return self.settings.trajectories

    @property
    def matches_per_chain(self) -> int:
        return self.matches_per_stage * (self.settings.chain_length + 1)

    @property
    def adapting_at_once(self) -> int:
        """Chains that adapt side by side: as many as have no more matches in a graph than those that are learned from.

        A chain that only adapts has the graph of one stage at a time, not of L + 1.
        """
        settings = self.settings
        learned_from = settings.chains_at_once * settings.trajectories * (settings.chain_length + 1)
        return max(1, learned_from // self.matches_per_stage)

    def sampling(self, *, nodes: Nodes = "own", inner_objective: InnerObjective = "dice") -> Sampling:
        settings = self.settings
        return Sampling(
            self.game, self.policies, settings.gamma, nodes, inner_objective, settings.inner_baseline
        )

    def draw(self, chains: int, draws: torch.Generator) -> Tensor:
        """All that is random in chains, [C, L+1, M, ...] with M matches for each stage."""
        lead = (chains, self.settings.chain_length + 1, self.matches_per_stage)
        return self.game.chance(lead, self.steps, draws).to(self.device)

    def adapt(self, peers: Params, draws: torch.Generator) -> Adaptation:
        drawn = self.draw(count(peers), draws)
        parts = in_parts(peers, drawn, self.adapting_at_once)
        found = [self.adapt_few(few, chance) for few, chance in parts]
        return Adaptation(*(torch.cat(each) for each in zip(*found, strict=True)))

    def adapt_few(self, peers: Params, chance: Tensor) -> Adaptation:
        """Chains without a graph, from [C, N-1, ...] and [C, L+1, M, ...]."""
        matches = (stage.matches for stage in self.plain_stages(peers, chance))
        found = [(each.score, each.action_shares(self.game.n_actions)) for each in matches]
        return Adaptation(*(torch.stack(each, dim=1) for each in zip(*found, strict=True)))

    def plain_stages(self, peers: Params, chance: Tensor) -> Iterator[SampledStage]:
        """The stages of chains in which nothing is differentiated but each update by itself."""
        return unroll(
            lambda params, place: self.stage(params, chance[:, place]),
            self.start(peers),
            self.inner_rates(count(peers)),
            differentiate=False,
        )

    def stage(self, params: Policies, chance: Tensor) -> SampledStage:
        """One stage of such a chain, by [C, M, ...]: each agent's objective is a function of itself alone."""
        return self.sampling().stage(params, chance)


def make_policies(game: ChainGame, meta_policy: MetaPolicy, hidden: int = 0) -> tuple[Policy, ...]:
    """How each agent behaves; the sizes of networks are those of fresh parameters.

    Raises:
        ValueError: there is no such policy for this game.
    """
    if game.action_dim:
        if meta_policy == "table":
            raise ValueError(
                "meta_policy=table looks actions up by discrete states, which this environment does not have: "
                "meta_policy=lstm"
            )
        return (GaussianLSTMPolicy(game.n_inputs, game.action_dim, hidden),) * game.n_agents
    peer = TablePolicy(game.n_inputs, game.n_actions)
    own = LSTMPolicy(game.n_inputs, game.n_actions, hidden) if meta_policy == "lstm" else peer
    return (own, *[peer] * (game.n_agents - 1))


def only_repeated_games(game: ChainGame, why: str) -> None:
    """Raises `ValueError` where the peers' policies are no tables."""
    if game.action_dim:
        raise ValueError(f"{why}: it needs --env-config=ipd or rps.")


def count(peers: Params) -> int:
    """C of parameters [C, ...]."""
    return len(next(iter(peers.values())))


def in_parts(peers: Params, chance: Tensor, size: int) -> Iterator[tuple[Params, Tensor]]:
    """The same chains of each, `size` at a time: [C, ...] -> [size, ...]."""
    for start, numbers in zip(range(0, len(chance), size), chance.split(size), strict=True):
        yield {name: each[start : start + size] for name, each in peers.items()}, numbers


def spread(parameter: Tensor, chains: int) -> Tensor:
    """A copy for every chain, as a leaf: [...] -> [C, ...]."""
    return parameter.detach().expand(chains, *parameter.shape).clone().requires_grad_()


def scores_of(stages: list[SampledStage]) -> Tensor:
    """Mean rewards per step, [C, L+1, N]."""
    return torch.stack([stage.matches.score for stage in stages], dim=1)


def chain_metrics(scores: Tensor) -> Metrics:
    """What chains came to, under the names of metrics: scores [C, L+1, N]."""
    own = scores[..., 0].mean(dim=0)
    curve = {f"reward_phi_{place}": value for place, value in enumerate(own)}
    return {"return_mean": own.mean(), "auc": own[1:].sum(), **curve}
