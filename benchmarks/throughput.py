"""`python -m benchmarks.throughput`: simulator, small worlds, QMIX's update and whole training, in numbers.

Every figure is a median over rounds with its spread; what is compared is measured in turns within one run.
One torch thread, as in training. `--only simulator|particles|update|training` and `--maps` make it shorter.
"""

import argparse
import os
import platform
import time
from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.per_step_qmix import PerStepQMIX
from benchmarks.timing import Times, in_turns, ratio, wall
from cohort.assembly import build_learner
from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.components.process import prepare_process
from cohort.configuration import files
from cohort.configuration.plan import Sources, make_plan
from cohort.envs import ENVS
from cohort.envs.base import EnvSpec
from cohort.envs.sc2_sim.battles import RECORDED_AFTER
from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.smacv2_sim.env import SMACv2Sim
from cohort.envs.smacv2_sim.tasks import TASKS
from cohort.experiment import Experiment

MAPS = ("3m", "8m", "2s3z", "10m_vs_11m", "27m_vs_30m", "MMM2", "corridor")
SIZES = {  # name -> sizes of an update and its steps T: 3m in a typical and in the longest batch, 8 agents
    "3m, T=25": (EnvSpec(3, 9, 30, 48, 60), 25),
    "3m, T=60": (EnvSpec(3, 9, 30, 48, 60), 60),
    "8m, T=60": (EnvSpec(8, 14, 80, 168, 120), 60),
}
WORLDS = (
    *("going_together", "cooperative_navigation", "predator_prey", "clustering"),
    *("spread", "rover_tower", "pursuit"),
)
LENGTHS = {  # how long a batch's episodes are
    "all": lambda batch, steps: torch.full((batch,), steps),
    "1/4 to all": lambda batch, steps: torch.linspace(steps / 4, steps, batch).round().long(),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ["simulator", "particles", "update", "training"]
    parser.add_argument("--only", choices=parts, help="one part instead of all")
    parser.add_argument(
        "--maps", nargs="+", default=MAPS, help="for the simulator's part; SMACv2's tasks too"
    )
    parser.add_argument(
        "--batches",
        nargs="+",
        type=int,
        default=[1, 32, 256],
        help="games side by side in the simulator's part",
    )
    parser.add_argument(
        "--eager", action="store_true", help="leave out torch's compiler (minutes for each map)"
    )
    options = parser.parse_args()
    prepare_process(1)
    devices = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    print(f"torch {torch.__version__}, {platform.machine()}, {os.cpu_count()} cores, GPU: {cuda}, 1 thread")
    for device in devices:
        if options.only in (None, "simulator"):
            simulator(device, options.maps, options.batches, [False] if options.eager else [False, True])
        if options.only in (None, "particles"):
            particles(device)
        if options.only in (None, "update"):
            update(device)
        if options.only in (None, "training"):
            training(device)


def simulator(device: torch.device, maps: list[str], batches: list[int], compiled: list[bool]) -> None:
    """A step: masks, random actions, the battle, observations and state, new episodes for games that ended.

    On a CPU in seconds of this process's own work, once steps are recorded.
    """
    clock, eager = (time.process_time, "recorded") if device.type == "cpu" else (wall, "eager")
    print(f"\nsc2_sim on {device.type}, random actions: environment steps/s")
    print(f"{'map':<16}{'B':>5}  {eager:>9} {'spread':>12}  {'compiled':>9} {'spread':>12}  compilation")
    for map_name in maps:
        for batch in batches:
            cells, seconds = [], 0.0
            for compile_it in compiled:
                start = time.perf_counter()
                play = _random_play(map_name, batch, device, compile_it)
                next(play)
                seconds = time.perf_counter() - start
                for _ in range(0 if compile_it else RECORDED_AFTER):
                    next(play)
                times = in_turns({"step": play.__next__}, clock=clock)["step"]
                cells.append(f"{times.rate(batch):>9,.0f} {times.spread:>12}")
            note = f"{seconds:.0f} s" if True in compiled else ""
            print(f"{map_name:<16}{batch:>5}  {'  '.join(cells)}  {note}", flush=True)


def _random_play(map_name: str, batch: int, device: torch.device, compiled: bool) -> Iterator[None]:
    told = {"map_name": map_name} | ({"compile": True} if compiled else {})
    cls = SMACv2Sim if map_name in TASKS else SC2Sim
    env = cls(cls.Settings(**told), batch_size=batch, seed=0, device=device)
    draw = torch.Generator(device).manual_seed(0)
    seen = env.reset()
    while True:
        chances = torch.rand(seen.available_actions.shape, generator=draw, device=device)
        transition = env.step((chances * seen.available_actions).argmax(dim=-1))
        seen = env.reset(transition.terminated | transition.truncated)
        yield


def particles(device: torch.device) -> None:
    """Whole episodes: a reset, then random actions, motion, rewards, observations and state at every step.

    On a CPU in seconds of this process's own work: steps of a few microseconds suffer most from neighbours.
    """
    clock = time.process_time if device.type == "cpu" else wall
    print(
        f"\nsmall worlds on {device.type}, random actions: microseconds per step of B games, environment steps/s"
    )
    print(f"{'world':<24}{'B':>5}{'us/step':>9} {'spread':>12}{'steps/s':>12}")
    for world in WORLDS:
        batches = (1, 12, 32, 256, 1024)
        plays = {batch: _random_episodes_of(world, batch, device) for batch in batches}
        limit = next(plays[1])
        jobs = {batch: play.__next__ for batch, play in plays.items()}
        for batch, times in in_turns(jobs, clock=clock).items():
            each = f"{1e6 * times.median / limit:>9,.1f} {times.spread:>12}"
            print(f"{world:<24}{batch:>5}{each}{times.rate(batch * limit):>12,.0f}", flush=True)


def _random_episodes_of(world: str, batch: int, device: torch.device) -> Iterator[int]:
    """Plays one episode in each of `batch` games at a time, and gives its length."""
    cls = ENVS.load(world)
    arguments = files.read(files.find("--env-config", world))["env_args"]
    env = cls(cls.Settings(**arguments), batch_size=batch, seed=0, device=device)
    draw, team = torch.Generator(device).manual_seed(0), (batch, env.spec.n_agents)
    if env.spec.n_actions:
        actions = torch.empty(team, dtype=torch.int64, device=device)
        choose = partial(actions.random_, 0, env.spec.n_actions, generator=draw)
    else:
        actions = torch.empty((*team, env.spec.action_dim), device=device)
        choose = partial(actions.uniform_, -1, 1, generator=draw)
    while True:
        env.reset()
        for _ in range(env.spec.episode_limit):
            env.step(choose())
        yield env.spec.episode_limit


def update(device: torch.device) -> None:
    """One gradient step of QMIX on 32 episodes, ours against one network call per time step."""
    print(f"\nQMIX's update on {device.type}, 32 episodes of all T steps or of T/4 to T: milliseconds")
    print(
        f"{'size':<10}{'lengths':>11}{'ours':>8} {'spread':>12}  {'per step':>8} {'spread':>12}  times as fast"
    )
    plan = make_plan(Sources.read("qmix", "matrix_games", {}))
    for name, (spec, steps) in SIZES.items():
        for lengths, make in LENGTHS.items():
            episodes = _random_episodes(spec, steps, make(32, steps)).to(device)
            _, learner = build_learner(plan, spec, device)
            reference = PerStepQMIX(spec.n_agents, spec.n_actions, spec.obs_dim, spec.state_dim, device)
            jobs = {
                "ours": lambda learner=learner, batch=episodes: learner.update(batch, Clock(episodes=0)),
                "per step": lambda reference=reference, batch=episodes: reference.update(batch),
            }
            times = in_turns(jobs, rounds=11)
            ours, plain = (times[each] for each in jobs)
            print(f"{name:<10}{lengths:>11}{_ms(ours)}  {_ms(plain)}  {ratio(plain, ours)}", flush=True)


def _ms(times: Times) -> str:
    return f"{1000 * times.median:>8.1f} {times.spread:>12}"


def _random_episodes(spec: EnvSpec, steps: int, length: torch.Tensor) -> Episodes:
    batch, agents, actions = len(length), spec.n_agents, spec.n_actions
    return Episodes(
        obs=torch.rand(batch, steps + 1, agents, spec.obs_dim),
        state=torch.rand(batch, steps + 1, spec.state_dim),
        available_actions=torch.ones(batch, steps + 1, agents, actions, dtype=torch.bool),
        actions=torch.randint(0, actions, (batch, steps, agents)),
        reward=torch.rand(batch, steps),
        terminated=torch.zeros(batch, steps, dtype=torch.bool),
        truncated=torch.arange(steps) == length[:, None] - 1,
        length=length,
    )


def training(device: torch.device) -> None:
    """Collecting, storing and learning: qmix on 3m, 32 games, one update per 8 episodes and one per episode."""
    print(f"\nqmix on sc2_sim 3m, {device.type}, 32 games: environment steps/s of collecting and learning")
    for updates_per_episode in (0.125, 1.0):
        typed = {
            "batch_size_run": 32,
            "updates_per_episode": updates_per_episode,
            "use_cuda": device.type == "cuda",
        }
        trainer = Experiment(make_plan(Sources.read("qmix", "sc2_sim", typed)), lambda line: None).trainer
        while not trainer.learner.updates:  # until the first batch can be drawn
            trainer.iterate()
        rates = []
        for _ in range(5):
            start, steps = time.perf_counter(), trainer.t_env
            while time.perf_counter() - start < 3.0:
                trainer.iterate()
            rates.append((time.perf_counter() - start) / (trainer.t_env - steps))
        times = Times(rates)
        print(
            f"{updates_per_episode:>6} updates/episode {times.rate(1):>9,.0f} {times.spread:>12}", flush=True
        )


if __name__ == "__main__":
    main()
