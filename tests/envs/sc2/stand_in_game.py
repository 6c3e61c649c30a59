"""What one StarCraft II process answers: requests of s2clientprotocol in, responses out.

Import this only after PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python is set.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath

from s2clientprotocol import common_pb2, raw_pb2
from s2clientprotocol import sc2api_pb2 as sc_pb

from tests.envs.sc2.stand_in_installation import BUILD_4_10, Knobs

_SIZE = 32  # cells along each side of every map
_PATIENCE = 600  # seconds until a game that hangs gives up, lest it outlives a failed test for ever
_ANY = frozenset({sc_pb.launched, sc_pb.init_game, sc_pb.in_game, sc_pb.ended})
_PLAYING = frozenset({sc_pb.in_game})
_ALLOWED = {
    "ping": _ANY,
    "quit": _ANY,
    "create_game": frozenset({sc_pb.launched, sc_pb.in_game, sc_pb.ended}),
    "join_game": frozenset({sc_pb.init_game}),
    "game_info": _PLAYING,
    "observation": frozenset({sc_pb.in_game, sc_pb.ended}),
    "step": _PLAYING,
    "action": _PLAYING,
    "debug": _PLAYING,
    "data": _PLAYING,
    "save_replay": frozenset({sc_pb.in_game, sc_pb.ended}),
}


class Game:
    """The process's state: its status, and a world once a game is created."""

    def __init__(
        self,
        knobs: Knobs,
        launch: int = 1,
        build: int = BUILD_4_10,
        log: Callable[[str], object] | None = None,
    ) -> None:
        """Begin in the status `launched`.

        Args:
            knobs: how to behave.
            launch: number of this launch.
            build: number of the program's build.
            log: is called with one line per request.
        """
        self.knobs, self.launch, self.build, self.log = knobs, launch, build, log
        self.fault = knobs.fault_of(launch)
        self.status = sc_pb.launched
        self.counts: Counter[str] = Counter()
        self.world = None
        self.map_path = ""

    def answer(self, request: sc_pb.Request) -> sc_pb.Response:
        """Do what is asked; every answer echoes the id and has a status."""
        kind = request.WhichOneof("request")
        asked = getattr(request, kind)
        if self.log:
            self.log(f"{kind} {' '.join(str(asked).split())}")
        response = sc_pb.Response(id=request.id)
        try:
            if kind not in _ALLOWED:
                raise ValueError(f"the stand-in has no answer to {kind}")
            if self.status not in _ALLOWED[kind]:
                raise ValueError(f"{kind} is not possible in status {sc_pb.Status.Name(self.status)}")
            self._maybe_fail(kind)
            told = getattr(response, kind)
            told.SetInParent()
            getattr(self, f"_{kind}")(asked, told)
            self._maybe_end(kind)
        except ValueError as refusal:
            response.ClearField(kind)
            response.error.append(str(refusal))
        response.status = self.status
        return response

    def _maybe_fail(self, kind: str) -> None:
        """Carry out the fault if this is the request for it."""
        battles = kind != "step" or (self.world is not None and self.world.listening)
        self.counts[kind] += battles
        if not battles or not self._due(kind):
            return
        if self.fault == "exit":
            os._exit(1)
        elif self.fault == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(0.1)  # another thread may take the signal, and this one run on for a moment
        elif self.fault == "hang":
            time.sleep(_PATIENCE)
            os._exit(1)
        elif self.fault == "error":
            raise ValueError("the stand-in was told to fail here")

    def _maybe_end(self, kind: str) -> None:
        if self.fault == "ended" and self._due(kind) and self.status == sc_pb.in_game:
            self.status = sc_pb.ended

    def _due(self, kind: str) -> bool:
        return kind == self.knobs.fault_request and self.counts[kind] == self.knobs.fault_count

    def _ping(self, _asked, told) -> None:
        told.game_version = "4.10.0" if self.build == BUILD_4_10 else "4.6.2"
        told.data_build = told.base_build = self.build

    def _quit(self, _asked, _told) -> None:
        self.status = sc_pb.quit

    def _create_game(self, asked, told) -> None:
        knobs = self.knobs
        seed = knobs.seed
        if seed is None:
            seed = asked.random_seed if asked.HasField("random_seed") else 0
        self.map_path = asked.local_map.map_path
        try:
            if self.fault == "no_map":
                raise ValueError("the stand-in was told to refuse the map")
            # A second's import, done while the client waits to connect; see stand_in.py.
            from tests.envs.sc2.stand_in_world import World

            first_tag = 2**32 * (1 if knobs.repeat_tags else self.launch) + 1
            self.world = World(PurePosixPath(self.map_path).stem, knobs, seed, first_tag)
        except ValueError as refusal:
            told.error = sc_pb.ResponseCreateGame.InvalidMapPath
            told.error_details = str(refusal)
            return
        self.status = sc_pb.init_game

    def _join_game(self, _asked, told) -> None:
        told.player_id = 1
        self.status = sc_pb.in_game

    def _game_info(self, _asked, told) -> None:
        told.map_name = told.local_map_path = self.map_path
        start = told.start_raw
        start.map_size.x = start.map_size.y = _SIZE
        start.playable_area.p1.x = start.playable_area.p1.y = _SIZE
        start.playable_area.p0.x = start.playable_area.p0.y = 0
        heights = _from_the_top(self.world.heights())
        _fill(start.terrain_height, 8, bytes(round(255 * height) for height in heights))
        pathing = self.world.pathing()
        if self.knobs.old_pathing:
            _fill(start.pathing_grid, 8, bytes(0 if walkable else 255 for walkable in _from_the_top(pathing)))
        else:
            _fill(start.pathing_grid, 1, _bits(pathing[x][y] for y in range(_SIZE) for x in range(_SIZE)))

    def _observation(self, _asked, told) -> None:
        told.observation.game_loop = self.world.game_loop
        told.observation.player_common.player_id = 1
        if self.status == sc_pb.ended:
            told.player_result.add(player_id=1, result=sc_pb.Undecided)
        told.observation.raw_data.units.extend(_unit(body) for body in self.world.bodies())

    def _action(self, asked, told) -> None:
        self.world.listen()
        for action in asked.actions:
            command = action.action_raw.unit_command
            point = command.target_world_space_pos if command.HasField("target_world_space_pos") else None
            goal = (point.x, point.y) if point else None
            done = [
                self.world.command(tag, command.ability_id, goal, command.target_unit_tag)
                for tag in command.unit_tags
            ]
            told.result.append(1 if all(done) else 3)  # ActionResult.Success, .Error

    def _step(self, asked, told) -> None:
        self.world.advance(asked.count)
        told.simulation_loop = self.world.game_loop

    def _debug(self, asked, _told) -> None:
        for command in asked.debug:
            if command.HasField("kill_unit"):
                self.world.kill(list(command.kill_unit.tag))
            elif command.HasField("create_unit"):
                wish = command.create_unit
                self.world.create(wish.unit_type, wish.owner, (wish.pos.x, wish.pos.y))
            else:
                raise ValueError("the stand-in knows no debug command but kill_unit and create_unit")

    def _data(self, _asked, told) -> None:
        from tests.envs.sc2.stand_in_world import ABILITIES

        for number, name in ABILITIES.items():
            told.abilities.add(ability_id=number, link_name=name, friendly_name=name.capitalize())
        seen = {body.unit_type: body.unit for body in self.world.bodies()}
        for number in self.world.unit_types() or seen:
            speed = seen[number].speed if number in seen else 0.0
            told.units.add(unit_id=number, name=f"unit{number}", movement_speed=speed)

    def _save_replay(self, _asked, told) -> None:
        told.data = f"replay of {self.map_path}, {self.world.game_loop} loops".encode()


def _unit(body) -> raw_pb2.Unit:
    return raw_pb2.Unit(
        display_type=raw_pb2.Visible,
        alliance=raw_pb2.Self if body.owner == 1 else raw_pb2.Enemy,
        tag=body.tag,
        unit_type=body.unit_type,
        owner=body.owner,
        pos=common_pb2.Point(x=body.x, y=body.y, z=0),
        radius=body.unit.radius,
        health=body.health,
        health_max=body.unit.health,
        shield=body.shield,
        shield_max=body.unit.shield,
        energy=body.energy,
        energy_max=body.unit.max_energy,
        weapon_cooldown=body.cooldown,
        is_flying=body.unit.layer == "air",
    )


def _from_the_top(cells: list[list]) -> list:
    """Row after row from the northernmost, of cells by [x][y]."""
    return [cells[x][y] for y in reversed(range(_SIZE)) for x in range(_SIZE)]


def _bits(flags) -> bytes:
    flags = list(flags)
    return bytes(
        sum(flag << (7 - place) for place, flag in enumerate(flags[first : first + 8]))
        for first in range(0, len(flags), 8)
    )


def _fill(image, bits: int, data: bytes) -> None:
    image.bits_per_pixel, image.data = bits, data
    image.size.x = image.size.y = _SIZE
