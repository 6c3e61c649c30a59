"""StarCraft II micromanagement without StarCraft: SMAC's interface, this package's battles."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cohort.components.recorded import Recorded
from cohort.envs.base import Observation, Transition
from cohort.envs.sc2_sim.battle import Battle, Course
from cohort.envs.sc2_sim.games import Games
from cohort.envs.sc2_sim.layout import env_spec
from cohort.envs.sc2_sim.maps import all_maps
from cohort.envs.sc2_sim.noise import game_keys
from cohort.envs.sc2_sim.observe import Observer
from cohort.envs.sc2_sim.planes import HEALTH, STOP
from cohort.envs.sc2_sim.rewards import Rewards
from cohort.envs.sc2_sim.settings import SC2SimSettings
from cohort.envs.sc2_sim.spawn import Spawner
from cohort.envs.sc2_sim.starts import Starts
from cohort.envs.sc2_sim.terrain import Terrain
from cohort.envs.sc2_sim.units import unit_constants

if TYPE_CHECKING:
    from cohort.envs.sc2_sim.render import Renderer


class SC2Sim:
    """B battles of one SMAC map in one tensor program.

    Observations, states, available actions and rewards are SMAC's (arXiv:1902.04043), feature by feature; the
    battle itself is a model of StarCraft II's. Win rates compare methods within this simulator only.

    Departs from SMAC in: an action that is not available acts as stop instead of failing.
    """

    Settings = SC2SimSettings

    provides = ("single_resets",)  # `reset` of some games alone

    def __init__(
        self,
        settings: SC2SimSettings,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
        first_game: int = 0,
    ) -> None:
        """Prepare B games; `reset` begins them.

        Args:
            settings: the map and its options.
            batch_size: B.
            seed: with a game's number it decides that game's randomness, whatever B is.
            device: where all tensors live.
            first_game: number of the first of these games; the others follow.
        """
        facts, device = all_maps()[settings.map_name], torch.device(device)
        constants = unit_constants(facts, settings.enemy_type_ids_swapped, device)
        terrain = Terrain(facts, device)
        self.settings, self.batch_size, self.spec = settings, batch_size, env_spec(facts, settings)
        self.battle = Battle(facts, settings, constants, terrain)
        self.observer = Observer(facts, settings, constants, terrain)
        # SMAC's battles end when one side has nobody left who fights; medivacs do not.
        self._fighters = torch.tensor([unit.damage > 0 for unit in constants.units], device=device)
        self.rewards = Rewards(facts, settings, constants)
        self.spawner = Spawner(facts, settings, constants, terrain, self.battle.planes)
        self._game_keys = game_keys(seed, torch.arange(first_game, first_game + batch_size, device=device))
        self._at_rest = self.battle.at_rest(1)
        self.games = self._unbegun(batch_size)
        self.observation: Observation | None = None
        self._starts = self._starts_of_these()
        self._advance = self._fast(device)

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
            **_chosen(column, self._at_rest, old.course),
            actions=old.actions.masked_fill(column, -1),
            t=old.t * going,
            episode=old.episode + mask,
            keys=torch.where(mask, start.keys, old.keys),
            terminated=old.terminated & going,
            truncated=old.truncated & going,
        )
        seen = self.observation or self._look(old)
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
        if self.observation is None:
            raise RuntimeError("call reset() before the first step()")
        self.games, self.observation, reward, info = self._advance(
            self.games, self.observation.available_actions, actions
        )
        return Transition(self.observation, reward, self.games.terminated, self.games.truncated, info)

    def _fast(self, device: torch.device) -> Callable:
        """`_play` without Python between its operations: compiled, or recorded on a CPU, bit for bit the same."""
        if not self.settings.compile:
            return Recorded(self._play) if device.type == "cpu" else self._play
        # With several passes of pushing, the compiler would repeat a pass's arithmetic for every pair of the next
        # one; told to store all intermediate results, it is twice as fast.
        store = {"realize_reads_threshold": 0, "realize_cpu_opcount_threshold": 0}
        options = store if self.battle.collision.passes > 1 else None
        return torch.compile(self._play, dynamic=False, fullgraph=True, options=options)

    def _unbegun(self, batch: int) -> Games:
        """`batch` games before their first episode."""
        device = self._game_keys.device
        zeros = torch.zeros(batch, dtype=torch.int64, device=device)
        return Games(
            units=self.spawner.start.repeat(1, batch, 1),
            **self.battle.at_rest(batch)._asdict(),
            actions=torch.full((batch, self.spec.n_agents), -1, device=device),
            t=zeros,
            episode=zeros - 1,
            keys=zeros,
            terminated=zeros.bool(),
            truncated=zeros.bool(),
        )

    @torch.no_grad()
    def _look(self, games: Games) -> Observation:
        return self.observer.observe(games.units, games.actions, games.t)

    def _starts_of_these(self) -> Starts:
        def look(units: Tensor) -> Observation:
            return self._look(self._unbegun(units.shape[1])._replace(units=units))

        return Starts(self.spawner, look, self._game_keys)

    def _play(
        self, games: Games, available: Tensor, actions: Tensor
    ) -> tuple[Games, Observation, Tensor, dict[str, Tensor]]:
        """One step as a pure function: the next games, what is seen, rewards [B] and outcomes."""
        ongoing = ~(games.terminated | games.truncated)
        column = ongoing.unsqueeze(1)
        allowed = available.gather(2, actions.unsqueeze(2)).squeeze(2)
        actions = torch.where(allowed, actions, STOP * available[:, :, STOP])
        orders = self.battle.orders(games.units, actions, games.keys)
        reload = self.battle.reload_times(games.keys, games.t)
        units, course = self.battle.advance(games.units, games.course, orders, reload)
        units = torch.where(column, units, games.units)

        t = games.t + ongoing
        info, won, lost, over = self._outcome(units)
        late = (t >= self.spec.episode_limit) & ~over
        truncates = self.settings.continuing_episode
        after = Games(
            units=units,
            **_chosen(column, course, games.course),
            actions=torch.where(column, actions, games.actions),
            t=t,
            episode=games.episode,
            keys=games.keys,
            terminated=over if truncates else over | late,
            truncated=late if truncates else torch.zeros_like(late),
        )
        reward = self.rewards(games.units, units, won, lost) * ongoing
        return after, self.observer.observe(units, after.actions, t), reward, info

    def _outcome(self, units: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor, Tensor]:
        """Outcomes for `Transition.info`, and who won, lost and has ended, [B] each.

        Mutual death is a draw, but on maps with medivacs a defeat: SMAC asks first whether the team is gone.
        """
        n, dead = self.spec.n_agents, units[HEALTH] <= 0
        beaten = dead if self.battle.healing is None else dead | ~self._fighters
        no_allies, no_enemies = beaten[:, :n].all(1), beaten[:, n:].all(1)
        won, lost = no_enemies & ~no_allies, no_allies & ~no_enemies
        if self.battle.healing is not None:
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
        self._game_keys = state["game_keys"].to(self._game_keys, copy=True)
        self._starts = self._starts_of_these()
        self.games = Games(
            **{name: state[name].to(own, copy=True) for name, own in self.games._asdict().items()}
        )
        self.observation = self._look(self.games) if state["begun"] else None

    def renderer(self, agent: int | None = None) -> "Renderer":
        """Draws the first game from here on; see `Renderer`, whose libraries only those who watch load."""
        from cohort.envs.sc2_sim.render import Renderer

        return Renderer(self, agent=agent)

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
    return {name: torch.where(column, one, other) if one.shape[1] else one for name, one, other in pairs}
