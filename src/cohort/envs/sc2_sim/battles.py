"""B battles in one tensor program, whichever benchmark's units fight."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cohort.components.compiled import Compiled
from cohort.components.recorded import Recorded
from cohort.envs.base import Observation, Transition
from cohort.envs.sc2_sim.battle import Battle, Course
from cohort.envs.sc2_sim.games import Games
from cohort.envs.sc2_sim.layout import env_spec
from cohort.envs.sc2_sim.maps import MapFacts
from cohort.envs.sc2_sim.noise import game_keys
from cohort.envs.sc2_sim.planes import HEALTH, STOP
from cohort.envs.sc2_sim.rewards import Rewards
from cohort.envs.sc2_sim.settings import BattleSettings
from cohort.envs.sc2_sim.starts import Starts
from cohort.envs.sc2_sim.terrain import Terrain

# a step: games, what is seen, rewards [B], outcomes
After = tuple[Games, Observation, Tensor, dict[str, Tensor]]

Tables = tuple[Tensor, ...]  # what of the rules each game has for itself; () where all have the same

RECORDED_AFTER = 100  # steps: about as many as recording costs

# With several passes of pushing, the compiler would repeat a pass's arithmetic for every pair of the next one; told to
# store what is read more than once, it is more than twice as fast.
STORE = {"realize_reads_threshold": 0}


class Rules(NamedTuple):
    """How games go on: the same for all episodes, or those of the teams that were drawn."""

    battle: Battle
    rewards: Rewards
    eyes: Any  # what `_look` and `_remember` of the same class use


class Battles(ABC):
    """What SMAC's fixed maps and SMACv2's drawn teams have in common: B games that begin, advance and end.

    A child makes `spawner` in `_prepare`, and says by what rules the games are played and what is seen of them.
    """

    provides = ("single_resets",)  # `reset` of some games alone

    spawner: Any  # `Spawner`, or another with its `start`, `noise` and `place`
    _memory_width = 0  # W, of `Games.memory`

    def __init__(
        self,
        settings: BattleSettings,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
        first_game: int = 0,
    ) -> None:
        """Prepare B games; `reset` begins them.

        Args:
            settings: the map or task and its options.
            batch_size: B.
            seed: with a game's number it decides that game's randomness, whatever B is.
            device: where all tensors live.
            first_game: number of the first of these games; the others follow.
        """
        self.settings, self.batch_size = settings, batch_size
        self.facts, device = self._facts(), torch.device(device)
        self.spec, self.terrain = env_spec(self.facts, settings), Terrain(self.facts, device)
        self._game_keys = game_keys(seed, torch.arange(first_game, first_game + batch_size, device=device))
        self._prepare(device)
        rules = self.rules(torch.zeros_like(self._game_keys))
        self.games, self._tables = self._unbegun(rules, batch_size), self._tabulate(rules)
        self.observation: Observation | None = None
        self._starts = self._starts_of_these()
        self._advance = self._fast(rules.battle, device)

    @abstractmethod
    def _facts(self) -> MapFacts:
        """The map of these games."""

    @abstractmethod
    def _prepare(self, device: torch.device) -> None:
        """Make whoever places the units, and all that does not depend on the episode."""

    @abstractmethod
    def rules(self, keys: Tensor) -> Rules:
        """Those of the episodes with random streams `keys` [B]."""

    @abstractmethod
    def _ruled(self, tables: Tables) -> Rules:
        """Those of the games that have these tables for themselves."""

    def _tabulate(self, rules: Rules) -> Tables:
        """What of the rules each game has for itself."""
        return ()

    def _choose(self, mask: Tensor, new: Tables, old: Tables) -> Tables:
        """`new` for the games of `mask` [B], `old` for the others."""
        return ()

    @abstractmethod
    def _look(self, rules: Rules, games: Games) -> Observation:
        """What is seen now."""

    def _fresh_memory(self, units: Tensor) -> Tensor:
        """[B, W] what is known of the past in episodes that begin with `units` [P, B, U]."""
        return units.new_zeros(units.shape[1], 0)

    def _remember(self, rules: Rules, games: Games, units: Tensor, ongoing: Tensor) -> Tensor:
        """[B, W] what is known of the past after a step that led to `units` [P, B, U] where `ongoing` [B, 1]."""
        return games.memory

    @torch.no_grad()
    def reset(self, mask: Tensor | None = None) -> Observation:
        """Begin a new episode in every game, or only in those of `mask` [B]; the others stay as they are."""
        old = self.games
        if mask is None or self.observation is None:
            mask = torch.ones_like(old.terminated)
        elif (
            mask.device.type == "cpu" and not mask.any()
        ):  # asked at every step; elsewhere the answer costs more
            return self.observation
        start, column, going = self._starts.next(old.episode + 1, mask), mask.unsqueeze(1), ~mask
        self.games = Games(
            units=torch.where(column, start.units, old.units),
            **_chosen(column, start.course, old.course),
            actions=old.actions.masked_fill(column, -1),
            t=old.t * going,
            episode=old.episode + mask,
            keys=torch.where(mask, start.keys, old.keys),
            memory=torch.where(column, self._fresh_memory(start.units), old.memory),
            terminated=old.terminated & going,
            truncated=old.truncated & going,
        )
        seen = self.observation or self._look(self._ruled(self._tables), old)
        self._tables = self._choose(mask, start.tables, self._tables)
        self.observation = Observation(
            *(
                torch.where(mask.view(-1, *[1] * (was.dim() - 1)), first, was)
                for first, was in zip(start.sight, seen, strict=True)
            )
        )
        return self.observation

    @torch.no_grad()
    def step(self, actions: Tensor) -> Transition:
        """Advance every game that has not ended by one step; `actions` is [B, N] int64."""
        return self._enter(self._advance(self.games, self._available, actions, self._tables))

    @property
    def _available(self) -> Tensor:
        if self.observation is None:
            raise RuntimeError("call reset() before the first step()")
        return self.observation.available_actions

    def _enter(self, after: After) -> Transition:
        """Have the games stand where a step has led."""
        self.games, self.observation, reward, info = after
        return Transition(self.observation, reward, self.games.terminated, self.games.truncated, info)

    def _fast(self, battle: Battle, device: torch.device) -> Callable[..., After]:
        """`_play`, compiled where asked for.

        Else, on a CPU, recorded: without Python between its operations, and bit for bit the same.
        """
        if self.settings.compile:
            return Compiled(self._play, STORE if battle.collision.passes > 1 else None)
        return Recorded(self._play, RECORDED_AFTER) if device.type == "cpu" else self._play

    def _unbegun(self, rules: Rules, batch: int) -> Games:
        """`batch` games by these rules before their first episode."""
        device = self._game_keys.device
        zeros = torch.zeros(batch, dtype=torch.int64, device=device)
        return Games(
            units=self.spawner.start.repeat(1, batch, 1),
            **rules.battle.at_rest(batch)._asdict(),
            actions=torch.full((batch, self.spec.n_agents), -1, device=device),
            t=zeros,
            episode=zeros - 1,
            keys=zeros,
            memory=self.spawner.start.new_zeros(batch, self._memory_width),
            terminated=zeros.bool(),
            truncated=zeros.bool(),
        )

    def _starts_of_these(self) -> Starts:
        return Starts(self.spawner, self._begin, self._game_keys)

    def _begin(self, units: Tensor, keys: Tensor) -> tuple[Course, Observation, Tables]:
        """What goes on and is seen where episodes with random streams `keys` [B] begin, and their tables.

        They begin with `units` [P, B, U], or [P, 1, U] where all games begin alike; their eyes then ask no keys.
        """
        rules, batch = self.rules(keys), units.shape[1]
        memory = self._fresh_memory(units)
        games = self._unbegun(rules, batch)._replace(units=units, keys=keys, memory=memory)
        return games.course, self._look(rules, games), self._tabulate(rules)

    def _play(self, games: Games, available: Tensor, actions: Tensor, tables: Tables = ()) -> After:
        """One step as a pure function: the next games, what is seen, rewards [B] and outcomes."""
        rules = self._ruled(tables)
        battle = rules.battle
        ongoing = ~(games.terminated | games.truncated)
        column = ongoing.unsqueeze(1)
        allowed = available.gather(2, actions.unsqueeze(2)).squeeze(2)
        actions = torch.where(allowed, actions, STOP * available[:, :, STOP])
        orders = battle.orders(games.units, actions, games.keys)
        reload = battle.reload_times(games.keys, games.t)
        units, course = battle.advance(games.units, games.course, orders, reload)
        units = torch.where(column, units, games.units)

        t = games.t + ongoing
        info, won, lost, over = self._outcome(battle, units)
        late = (t >= self.spec.episode_limit) & ~over
        truncates = self.settings.continuing_episode
        after = Games(
            units=units,
            **_chosen(column, course, games.course),
            actions=torch.where(column, actions, games.actions),
            t=t,
            episode=games.episode,
            keys=games.keys,
            memory=self._remember(rules, games, units, column),
            terminated=over if truncates else over | late,
            truncated=late if truncates else torch.zeros_like(late),
        )
        reward = rules.rewards(games.units, units, won, lost) * ongoing
        return after, self._look(rules, after), reward, info

    def _outcome(self, battle: Battle, units: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor, Tensor]:
        """Outcomes for `Transition.info`, and who won, lost and has ended, [B] each.

        Battles end when one side has nobody left who fights; medivacs do not. Mutual death is a draw, but on maps
        with medivacs a defeat: SMAC asks first whether the team is gone.
        """
        n, dead = self.spec.n_agents, units[HEALTH] <= 0
        beaten = dead if battle.healing is None else dead | ~battle.constants.armed
        no_allies, no_enemies = beaten[:, :n].all(1), beaten[:, n:].all(1)
        won, lost = no_enemies & ~no_allies, no_allies & ~no_enemies
        if battle.healing is not None:
            lost = no_allies
        info = {"battle_won": won, "dead_allies": dead[:, :n].sum(1), "dead_enemies": dead[:, n:].sum(1)}
        return info, won, lost, no_allies | no_enemies

    def state_dict(self) -> dict[str, Any]:
        """All that decides what the games do next."""
        return {
            "map_name": self.settings.map_name,
            "game_keys": self._game_keys.clone(),
            "begun": self.observation is not None,
            **{name: tensor.clone() for name, tensor in self.games._asdict().items()},
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`, bit for bit.

        Raises:
            ValueError: the state is of another map or number of games.
        """
        given = (state["map_name"], state["units"].shape[1])
        if given != (self.settings.map_name, self.batch_size):
            raise ValueError(
                f"the saved state is of {given[1]} games of {given[0]}, this environment has {self.batch_size} "
                f"of {self.settings.map_name}; build it with the settings of the saved run"
            )
        # runs of before November 2026 have no memory, and one row of what a map lacks, which has no width
        state = {"memory": self.games.memory, **state}
        self._game_keys = state["game_keys"].to(self._game_keys, copy=True)
        self._starts = self._starts_of_these()
        self.games = Games(
            **{
                name: state[name].to(own, copy=True).expand_as(own)
                for name, own in self.games._asdict().items()
            }
        )
        rules = self.rules(self.games.keys)
        self._tables = self._tabulate(rules)
        self.observation = self._look(rules, self.games) if state["begun"] else None

    def get_env_info(self) -> dict[str, int]:
        """The sizes PyMARL asks an environment for."""
        return {
            "state_shape": self.spec.state_dim,
            "obs_shape": self.spec.obs_dim,
            "n_actions": self.spec.n_actions,
            "n_agents": self.spec.n_agents,
            "episode_limit": self.spec.episode_limit,
        }


def _chosen(column: Tensor, new: Course, old: Course) -> dict[str, Tensor]:
    """What goes on in each battle: `new` in those of `column` [B, 1], else `old`. What a map lacks has no width."""
    pairs = zip(Course._fields, new, old, strict=True)
    return {name: torch.where(column, one, other) if one.shape[1] else other for name, one, other in pairs}
