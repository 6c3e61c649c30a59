"""Pursuit: pursuers surround evaders that move at random, on a small map with a wall block in its middle."""

import math
from typing import TYPE_CHECKING, Any, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from cohort.envs.base import EnvSpec, Observation, Transition, refuse_other_games
from cohort.envs.pursuit.board import MOVES, STAY, Board, Catch, Scene, free_cells
from cohort.envs.team_rewards import TeamRewardSettings, pay

if TYPE_CHECKING:
    from cohort.envs.pursuit.render import Renderer

_BLOCKS = 5  # cells in which nobody of its own side may begin once a unit stands: its own and those beside it


class PursuitSettings(TeamRewardSettings):
    """Keys of `Pursuit`, with PettingZoo's names where it has them; their values are in the YAML file."""

    x_size: int = Field(ge=3, description="width of the map")
    y_size: int = Field(ge=3, description="height of the map")
    n_pursuers: int = Field(ge=1, description="pursuers, the agents")
    n_evaders: int = Field(ge=1, description="evaders")
    obs_range: int = Field(
        ge=1, description="side of the square that a pursuer sees, itself in its middle; odd"
    )
    surround: bool = Field(
        description="an evader is caught when all its free sides are taken; False: when n_catch are on its cell"
    )
    n_catch: int = Field(ge=1, description="with surround=False: how many pursuers catch an evader")
    freeze_evaders: bool = Field(description="evaders stay where they are")
    tag_reward: float = Field(description="paid to a pursuer for each evader that it touches")
    average_tag: bool = Field(
        description="tags are a mean over the moments after each pursuer's move; False: counted once all have moved"
    )
    catch_reward: float = Field(description="paid to every pursuer that takes part in a catch")
    urgency_reward: float = Field(description="paid to every pursuer in every step")
    constraint_window: float = Field(
        gt=0, le=1, description="side of the window in which all begin, as a share of the map's"
    )
    episode_limit: int = Field(ge=1, description="steps after which an episode is cut")

    @model_validator(mode="after")
    def _sight_has_a_middle(self) -> Self:
        if self.obs_range % 2 == 0:
            raise ValueError(f"obs_range = {self.obs_range}: must be odd, as 7")
        return self

    @model_validator(mode="after")
    def _enough_can_catch(self) -> Self:
        if not self.surround and self.n_catch > self.n_pursuers:
            raise ValueError(
                f"n_catch = {self.n_catch}: there are only {self.n_pursuers} pursuers (n_pursuers)"
            )
        return self

    @model_validator(mode="after")
    def _all_find_a_place(self) -> Self:
        """Nobody begins next to another of its side; PettingZoo searches for ever where no place is left."""
        sides = [int(size * self.constraint_window) for size in (self.y_size, self.x_size)]
        windows = free_cells(self.x_size, self.y_size)
        for axis, side in enumerate(sides):
            windows = windows.unfold(axis, max(1, side), 1)
        room = int(windows.sum((-1, -2)).min()) if all(sides) else 0
        most = 1 + (room - 1) // _BLOCKS if room else 0
        for name in ("n_pursuers", "n_evaders"):
            if getattr(self, name) > most:
                raise ValueError(
                    f"{name} = {getattr(self, name)}: only {most} surely find a place where they begin, which can have "
                    f"as few as {room} free cells (x_size, y_size, constraint_window)"
                )
        return self


class Pursuit:
    """B games of N pursuers and E evaders (PettingZoo 1.27, sisl/pursuit_v5; Gupta et al. 2017).

    In a step pursuers move (left, right, up, down, stay: -x, +x, +y, -y), evaders that are surrounded are caught, the
    others move at random. Several units may share a cell. A game ends when all evaders are caught.

    Observation of a pursuer: walls, pursuers and evaders in the square around it, by y, x and plane. State: pursuers
    and evaders in every cell, by y, x and plane. Info: `caught`, how many evaders were caught.

    `tests/envs/pursuit/test_pettingzoo.py` compares both step by step. Departs from PettingZoo in: a game in whose
    last step all evaders are caught is terminated, not cut; the state is without the walls, which never change.
    """

    Settings = PursuitSettings
    title = "pursuit"

    def __init__(
        self, settings: PursuitSettings, *, batch_size: int, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        """Prepare `batch_size` (B) games; `seed` decides where all begin and how evaders move."""
        self.settings, self.batch_size, self.device = settings, batch_size, torch.device(device)
        n, sizes = settings.n_pursuers, (settings.y_size, settings.x_size)
        self.spec = EnvSpec(
            n_agents=n,
            n_actions=len(MOVES),
            obs_dim=3 * settings.obs_range**2,
            state_dim=2 * math.prod(sizes),
            episode_limit=settings.episode_limit,
            info_keys=("caught",),
            common_reward=settings.common_reward,
        )
        self.board = Board(settings.x_size, settings.y_size, settings.obs_range, batch_size, self.device)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.scene: Scene | None = None
        self.t = 0  # steps of this episode, the same in every game
        # in which share of the moments after pursuer 0's, 1's, ... move pursuer i has not moved yet
        self._waits = torch.arange(n, device=self.device) / n
        self._available = torch.ones((batch_size, n, len(MOVES)), dtype=torch.bool, device=self.device)
        self._no = torch.zeros(batch_size, dtype=torch.bool, device=self.device)
        paid = (batch_size,) if settings.common_reward else (batch_size, n)
        self._nothing = torch.zeros(paid, device=self.device)
        self.paid = self._nothing  # the last reward

    def reset(self) -> Observation:
        """Begin a new episode in every game."""
        window, settings = self._window(), self.settings
        pursuers, evaders = (
            self.board.place(count, window, self.generator)
            for count in (settings.n_pursuers, settings.n_evaders)
        )
        self._enter(Scene(pursuers, evaders))
        self.t, self.paid = 0, self._nothing
        return self.observation

    def _window(self) -> Tensor:
        """[B, C] bool: the free cells in a rectangle at a random place, a new one for each game."""
        board, share = self.board, self.settings.constraint_window
        draws = torch.rand(
            (2, self.batch_size, 1), generator=self.generator, device=self.device, dtype=torch.float64
        )
        allowed = board.free.expand(self.batch_size, -1)
        axes = ((board.x, self.settings.x_size), (board.y, self.settings.y_size))
        for (place, size), start in zip(axes, draws * (1.0 - share), strict=True):
            allowed = allowed & (place >= (size * start).long()) & (place < (size * (start + share)).long())
        return allowed

    def _enter(self, scene: Scene) -> None:
        """Let `scene` be the present."""
        board, self.scene = self.board, scene
        self._planes = board.planes(*scene)
        caught = scene.evaders == board.nowhere
        self.over = caught.all(1)  # [B]
        self._info = {"caught": caught.sum(1, dtype=torch.float32)}
        self.observation = Observation(
            board.look(self._planes, scene.pursuers), board.overview(self._planes), self._available
        )

    def step(self, actions: Tensor) -> Transition:
        """Advance every game by one step; `actions` is [B, N] int64."""
        if self.scene is None:
            raise RuntimeError("call reset() before the first step()")
        if self.t >= self.spec.episode_limit:
            return Transition(self.observation, self._nothing, self.over, ~self.over, self._info)
        board, scene, over = self.board, self.scene, self.over.unsqueeze(1)
        pursuers = board.move(scene.pursuers, actions.masked_fill(over, STAY))
        catch = self._catch(pursuers, scene.evaders)
        reward = self.settings.tag_reward * self._tags(scene.pursuers, pursuers)
        reward = reward + self.settings.catch_reward * catch.catchers + self.settings.urgency_reward
        self.paid = pay(reward.masked_fill(over, 0.0), self.settings)
        evaders = scene.evaders.masked_fill(catch.caught, board.nowhere)
        if not self.settings.freeze_evaders:
            evaders = board.move(evaders, self.evader_moves())
        self.t += 1
        self._enter(Scene(pursuers, evaders))
        cut = ~self.over if self.t >= self.spec.episode_limit else self._no
        return Transition(self.observation, self.paid, self.over, cut, self._info)

    def evader_moves(self) -> Tensor:
        """[B, E] the moves of all evaders in this step; those of caught ones lead nowhere."""
        shape = (self.batch_size, self.settings.n_evaders)
        return torch.randint(len(MOVES), shape, generator=self.generator, device=self.device)

    def _catch(self, pursuers: Tensor, evaders: Tensor) -> Catch:
        if self.settings.surround:
            return self.board.surround(pursuers, evaders)
        return self.board.overrun(pursuers, evaders, self.settings.n_catch)

    def _tags(self, before: Tensor, after: Tensor) -> Tensor:
        """[B, N] how many evaders each pursuer touches on its way from a place to another.

        In PettingZoo pursuers move one after another, and after each move every pursuer is paid one n-th for those that
        it touches then: pursuer i is in its old place i times and in its new one n - i times.
        """
        if not self.settings.average_tag:
            return self.board.touched(self._planes, after)
        touched = self.board.touched(self._planes, torch.cat((after, before), 1))
        return torch.lerp(*touched.chunk(2, 1), self._waits)

    def state_dict(self) -> dict[str, Any]:
        """All that decides what the games do next."""
        scene = {} if self.scene is None else self.scene._asdict()
        return {
            "batch_size": self.batch_size,
            "generator": self.generator.get_state(),
            "t": self.t,
            **{name: places.clone() for name, places in scene.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`, bit for bit.

        Raises:
            ValueError: the state is of another number of games.
        """
        refuse_other_games(state["batch_size"], self.batch_size)
        self.generator.set_state(state["generator"])
        self.t, self.scene = state["t"], None
        if "pursuers" in state:
            self._enter(Scene(*(state[name].to(self.device, copy=True) for name in Scene._fields)))

    def renderer(self, agent: int | None = None) -> "Renderer":
        """Draws the first game from here on; see `Renderer`, whose libraries only those who watch load."""
        from cohort.envs.pursuit.render import Renderer

        return Renderer(self, agent=agent)
