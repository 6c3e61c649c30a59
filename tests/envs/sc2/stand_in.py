"""A program that takes the place of StarCraft II's, for tests of code that starts and talks to the real game.

It speaks s2clientprotocol over a websocket as SC2_x64 does, so that oxwhirl's smac and pysc2 run unmodified; the
battles are `SC2Sim`'s. Use:

    from tests.envs.sc2.stand_in_installation import launches, make_installation, requests

    environment = make_installation(tmp_path)             # {"SC2PATH": ...}: set it where smac runs
    make_installation(tmp_path, fault="exit", fault_count=40)            # every process dies at its 40th step
    make_installation(tmp_path, fault="hang", fault_count=5, fault_launches=(2,))       # only the second launch
    make_installation(tmp_path, fault="exit", fault_request="debug")     # dies in the first reset of a second episode
    make_installation(tmp_path, battle={"weapon_jitter": False, "move_amount": 1})      # settings of SC2Sim
    make_installation(tmp_path, log_requests=True); requests(tmp_path, launch=1)        # ["ping", "create_game ...
    launches(tmp_path)                                    # process ids of all launches so far

All knobs are in `Knobs` there. They are written into the installation and read by every process as it starts, so
calling `make_installation` again changes what later processes do. smac needs
PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python beside a current protobuf; this program sets it for itself.

The battles' seed is the `seed` smac was given (unless the knob says otherwise), and every process begins with
episode 0. A process ends when told to quit, on SIGTERM, or after a minute without a client, not when its client
goes away: like the real game it is a leak if nobody ends it. A launch takes a little over a second, because pysc2
waits that long before it tries to connect a second time.
"""

import importlib
import os
import sys
import threading
from pathlib import Path

from tests.envs.sc2.stand_in_installation import read_knobs, register_launch, request_log

_LONELY = 60.0  # seconds without a client after which the process gives up


def main() -> None:
    """Run as `SC2_x64 -listen <host> -port <port> -dataDir <installation>/ ...` until told to quit."""
    arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
    folder = Path(arguments["-dataDir"])
    knobs = read_knobs(folder)
    launch = register_launch(folder, os.getpid())
    if knobs.fault_of(launch) == "no_launch":
        sys.exit(1)
    # The simulator's import takes a second of which the client sleeps most, so it must not delay the port.
    threading.Thread(
        target=importlib.import_module, args=("tests.envs.sc2.stand_in_world",), daemon=True
    ).start()
    os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
    from tests.envs.sc2.stand_in_game import Game

    build = int(Path(sys.argv[0]).parent.name.removeprefix("Base"))
    log = open(request_log(folder, launch), "w", buffering=1) if knobs.log_requests else None  # noqa: SIM115
    game = Game(knobs, launch, build, (lambda line: log.write(line + "\n")) if log else None)
    serve(game, arguments["-listen"], int(arguments["-port"]))


def serve(game, host: str, port: int) -> None:
    """Answer at ws://host:port/sc2api until a client says quit."""
    from s2clientprotocol import sc2api_pb2 as sc_pb
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.server import serve as serve_websocket

    leaving: list[threading.Timer] = []

    def leave_later(seconds: float) -> None:
        timer = threading.Timer(seconds, os._exit, args=(0,))
        timer.daemon = True
        timer.start()
        leaving.append(timer)

    def check_path(connection, request):
        return None if request.path == "/sc2api" else connection.respond(404, "the API is at /sc2api\n")

    def converse(connection) -> None:
        for timer in leaving:
            timer.cancel()
        try:
            while game.status != sc_pb.quit:
                # pysc2 sends its bytes in text frames, and wants binary ones back.
                response = game.answer(sc_pb.Request.FromString(connection.recv(decode=False)))
                connection.send(response.SerializeToString())
        except ConnectionClosed:
            return
        finally:
            leave_later(0.0 if game.status == sc_pb.quit else _LONELY)

    leave_later(_LONELY)
    options = {"compression": None, "max_size": None, "ping_interval": None, "process_request": check_path}
    with serve_websocket(converse, host, port, **options) as server:
        server.serve_forever()
