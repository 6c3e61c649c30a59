"""A game's policy where its sides have policies of their own: those that learn, and opponents that do not."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cohort.components.sides import Side
from cohort.controllers.team_policy import Act, Draws, TeamPolicy
from cohort.envs.base import EnvSpec, Observation


class Player(nn.Module):
    """Who plays a side; this one learns: it explores while the run collects, and evaluations test it."""

    learns = True

    def __init__(self, side: Side, policy: TeamPolicy) -> None:
        """`policy` is one of the side's agents alone."""
        super().__init__()
        self.side, self.policy = side, policy

    def act(
        self, observation: Observation, memory: Any, t_env: int, generator: Draws, explore: bool = True
    ) -> Act:
        """One step of the side's n agents, of what all N see."""
        return self.policy.act(self.side.sight(observation), memory, t_env, generator, explore)


class Opponent(Player):
    """Who plays a side without learning: greedily or as it explores, while collecting and in evaluations alike."""

    learns = False

    def __init__(self, side: Side, policy: TeamPolicy, *, greedy: bool) -> None:
        super().__init__(side, policy)
        self.greedy = greedy

    def act(
        self, observation: Observation, memory: Any, t_env: int, generator: Draws, explore: bool = True
    ) -> Act:
        return super().act(observation, memory, t_env, self.chance(generator))

    def chance(self, generator: Draws) -> Draws:
        """What it draws from, where its runner draws from `generator`."""
        return None if self.greedy else generator


class Guest(Opponent):
    """An opponent from another run: a policy of all N agents, of whose actions only its side's count."""

    def __init__(self, side: Side, policy: TeamPolicy, *, t_env: int, **parts: Any) -> None:
        """`t_env` is the moment of its own run that it explores as at."""
        super().__init__(side, policy, **parts)
        self.t_env = t_env

    def act(
        self, observation: Observation, memory: Any, t_env: int, generator: Draws, explore: bool = True
    ) -> Act:
        act = self.policy.act(observation, memory, self.t_env, self.chance(generator))
        return act._replace(actions=act.actions[:, self.side.agents])


class SidesPolicy(nn.Module):
    """All players as one policy of the game's N agents, for runners and for whoever watches.

    Its memory is a tuple with each player's own.
    """

    def __init__(self, spec: EnvSpec, players: Sequence[Player]) -> None:
        """`spec` is the whole game's. Agents that no player has do nothing: they choose action 0."""
        super().__init__()
        self.spec, self.players = spec, nn.ModuleList(players)
        self._learning = [player for player in players if player.learns]

    @property
    def action_selector(self) -> Any:
        """The learning players explore alike."""
        return self._learning[0].policy.action_selector

    @property
    def extra_shapes(self) -> dict[str, tuple[int, ...]]:
        """What one step's `extras` look like, for memories."""
        found = {}
        for player in self._learning:
            found |= player.side.named(player.policy.extra_shapes)
        return found

    def playing(self, policies: Mapping[str, TeamPolicy]) -> "SidesPolicy":
        """The same game with these policies for the sides that learn, by their names."""
        return SidesPolicy(
            self.spec,
            [
                Player(player.side, policies[player.side.name]) if player.learns else player
                for player in self.players
            ],
        )

    def initial_memory(self, batch_size: int) -> tuple[Any, ...]:
        return tuple(player.policy.initial_memory(batch_size) for player in self.players)

    @torch.inference_mode()
    def act(
        self, observation: Observation, memory: Any, t_env: int, generator: Draws, explore: bool = True
    ) -> Act:
        """One step of all players, those that learn as `TeamPolicy.act`."""
        acts = [
            player.act(observation, own, t_env, generator, explore)
            for player, own in zip(self.players, memory, strict=True)
        ]
        games, _, *size = acts[0].actions.shape
        actions = acts[0].actions.new_zeros(games, self.spec.n_agents, *size)
        extras: dict[str, Tensor] = {}
        for player, act in zip(self.players, acts, strict=True):
            actions[:, player.side.agents] = act.actions
            if player.learns:
                extras |= player.side.named(act.extras)
        return Act(actions, tuple(act.memory for act in acts), extras)
