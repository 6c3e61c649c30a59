"""`run.py watch`: a video of what a run has learned."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from cohort.arguments import Parser
from cohort.components.process import prepare_process
from cohort.policy import load_policy
from cohort.recording.folder import place_named
from cohort.recording.replay import Replay


def main(words: Sequence[str]) -> int:
    """Play one episode of a run's policy, as it is tested, into a video; the exit status."""
    options = _parse(words)
    prepare_process(1)
    run = place_named(options.run)
    policy = load_policy(run, options.step, best=options.best)
    path = options.out or run / "replays" / f"step{policy.step}__seed{options.seed}.{options.format}"
    with ExitStack() as stack:
        env = policy.make_env(games=1, seed=options.seed)
        stack.callback(getattr(env, "close", lambda: None))
        replay = stack.enter_context(Replay(env, path, options.agent))
        episode = policy.play(env, episodes=1, watch=replay.watch)
    outcomes = ", ".join(f"{name} {value.item():g}" for name, value in episode.info.items())
    print(f"step {policy.step:,}: return {episode.returns.item():.2f}, {episode.length.item()} steps"
          f"{', ' + outcomes if outcomes else ''}")  # fmt: skip
    print(f"video: {path}")
    return 0


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = Parser("watch", __doc__)
    parser.add_argument("run", type=Path, help="a run folder, or a part of a name in results/")
    parser.add_argument(
        "--step", type=int, default=0, help="the saved model nearest to this step; 0 is the last"
    )
    parser.add_argument("--best", action="store_true", help="the best model instead, kept with save_best")
    parser.add_argument("--seed", type=int, default=0, help="another seed shows another game")
    parser.add_argument("--agent", type=int, help="show what this agent sees")
    parser.add_argument("--format", choices=("mp4", "gif"), default="mp4")
    parser.add_argument("--out", type=Path, help="the file to write; otherwise in the run's replays folder")
    return parser.parse(words)
