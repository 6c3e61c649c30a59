"""Chains in which the peers' parameters are guessed from what they do (Meta-MAPG, appendix B)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cohort.chains.matches import Policies, play_matches
from cohort.chains.sampled import SampledStage, Sampling
from cohort.chains.unroll import ascend
from cohort.modules.policies import Params


@dataclass(frozen=True)
class Likelihood:
    """How a peer's table is fitted to what it did (eq. 15): `steps` of gradient ascent at most, until it is flat."""

    rate: float
    steps: int
    tolerance: float

    def fit(self, logits: Tensor, states: Tensor, actions: Tensor) -> Tensor:
        """From [C, S, A] and one peer's states and actions, [C, K, T] each -> [C, S, A]. No gradient.

        Ascends the mean log-likelihood of a step, whose gradient needs no more than how often each was done.
        """
        chains, n_states, n_actions = logits.shape
        with torch.no_grad():
            index = (states * n_actions + actions).flatten(1)
            done = logits.new_zeros(chains, n_states * n_actions)
            done.scatter_add_(1, index, torch.ones_like(index, dtype=logits.dtype))
            done = done.view_as(logits) / index.shape[1]
            seen = done.sum(dim=-1, keepdim=True)
            for _ in range(self.steps):
                gradient = done - seen * F.softmax(logits, dim=-1)
                logits = logits + self.rate * gradient
                if gradient.abs().max() < self.tolerance:
                    break
        return logits


class ModelledPeers:
    """Stages that are played with the peers as they are, and go on with what one would think they are.

    Algorithm 3: in every stage the guesses are fitted to the peers' actions, and from there they take the peers'
    updates. A fit changes a guess's values and leaves it as much a function of the first policy as it was.
    """

    def __init__(
        self,
        sampling: Sampling,
        peers: Policies,
        rates: Sequence[Tensor],
        likelihood: Likelihood,
        uniform: Tensor,
    ) -> None:
        """`peers` and their step sizes `rates` [C, L] are the true ones; `uniform` is [C, L+1, K, T, N]."""
        self.sampling, self.peers, self.rates, self.likelihood = sampling, peers, rates, likelihood
        self.uniform = uniform

    def stage(self, params: Policies, place: int) -> SampledStage:
        sampling = self.sampling
        matches = play_matches(
            sampling.game, sampling.policies, [params[0], *self.peers], self.uniform[:, place]
        )
        guesses = [
            self._refit(guess, matches.states, matches.actions[..., agent])
            for agent, guess in enumerate(params[1:], start=1)
        ]
        if place < self.rates[0].shape[1]:
            self._let_peers_learn(SampledStage(self._plain, [params[0], *self.peers], matches), place)
        return SampledStage(sampling, [params[0], *guesses], matches)

    @property
    def _plain(self) -> Sampling:
        """The peers' own rule, which knows nobody else's parameters."""
        how = self.sampling
        return Sampling(how.game, how.policies, how.gamma, "own", "dice", how.baseline)

    def _refit(self, guess: Params, states: Tensor, actions: Tensor) -> Params:
        fitted = self.likelihood.fit(guess["logits"].detach(), states, actions)
        return {"logits": guess["logits"] + (fitted - guess["logits"]).detach()}

    def _let_peers_learn(self, stage: SampledStage, place: int) -> None:
        self.peers = [
            {
                name: each.detach().requires_grad_()
                for name, each in ascend(
                    peer, stage.objective(agent), self.rates[agent - 1][:, place], differentiate=False
                ).items()
            }
            for agent, peer in enumerate(self.peers, start=1)
        ]
