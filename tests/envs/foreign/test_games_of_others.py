"""Games that people bring, through whole runs of 500 steps: none of them may need more than its line here.

What the package index does not have is played where it is installed: SMAClite (github.com/uoe-agents/smaclite,
which also needs rtree). The Makefile installs Overcooked.
"""

import importlib.util

import pytest

from cohort.cli import main
from tests import harness

GYMNASIUM, ZOO = "--env-config=gymnasium with env_args.key", "--env-config=pettingzoo with env_args.key"
SMALL_PURSUIT = "{'max_cycles':25,'x_size':8,'y_size':8,'n_pursuers':2,'n_evaders':2}"
# the packages that a game needs, and what is typed
GAMES = {
    "foraging": (("lbforaging",), f"{GYMNASIUM}=lbforaging:Foraging-8x8-2p-3f-v3"),
    "warehouse": (("rware",), f"{GYMNASIUM}=rware:rware-tiny-2ag-v2 env_args.time_limit=50"),
    "overcooked": (
        ("overcooked_ai_py", "gym", "tqdm"),
        f"{GYMNASIUM}=tests.envs.foreign.overcooked:Overcooked-v0 env_args.kwargs.horizon=50",
    ),
    "pursuit": (("pygame",), f"{ZOO}=pettingzoo.sisl.pursuit_v5 env_args.kwargs={SMALL_PURSUIT}"),
    "knights": (
        ("pygame", "pymunk"),
        f"{ZOO}=pettingzoo.butterfly.knights_archers_zombies_v11 env_args.kwargs.max_cycles=50",
    ),
    "pistonball": (
        ("pygame", "pymunk"),
        f"{ZOO}=pettingzoo.butterfly.pistonball_v6 env_args.kwargs.continuous=False env_args.kwargs.n_pistons=4 "
        "env_args.kwargs.max_cycles=25 env_args.picture_shrink=16 env_args.picture_grey=True "
        "agent=cnn agent_channels=[4]",
    ),
    "battle": (
        ("magent2",),
        f"{ZOO}=magent2.environments.battle_v4 env_args.kwargs.map_size=12 env_args.kwargs.max_cycles=25",
    ),
    "tag": (("mpe2",), f"{ZOO}=mpe2.simple_tag_v3"),
    "adversary": (("mpe2",), f"{ZOO}=mpe2.simple_adversary_v3"),
    "speaker": (("mpe2",), f"{ZOO}=mpe2.simple_speaker_listener_v4"),
    "world_comm": (("mpe2",), f"{ZOO}=mpe2.simple_world_comm_v3"),
    "in turns": (
        ("pygame",),
        f"{ZOO}=pettingzoo.classic.rps_v2:env env_args.obs_instead_of_state=True env_args.time_limit=15",
    ),
    "smaclite": (("smaclite", "rtree", "sklearn"), "--env-config=smaclite with env_args.time_limit=50"),
    "vmas": (
        ("vmas", "gym"),
        "--env-config=vmas with env_args.scenario=navigation env_args.episode_limit=50 batch_size_run=5",
    ),
}
METHODS = {
    "qmix": "batch_size=4 rnn_hidden_dim=8 buffer_size=32 mixing_embed_dim=4",
    "mappo": "rnn_hidden_dim=8 critic_hidden_dim=8 epochs=1",
}
RUN = "use_cuda=False t_max=500 test_interval=500 log_interval=250 test_nepisode=1"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("game", GAMES)
def test_500_steps(tmp_path, game, method):
    packages, typed = GAMES[game]
    for package in ("gymnasium", "pettingzoo", *packages):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs the Python package {package}, which is not installed")
    settings = METHODS[method]
    if "agent=cnn" in typed:
        settings = settings.replace("rnn_hidden_dim", "agent_hidden_dims").replace("=8", "=[8]", 1)
    if "batch_size_run" not in typed:
        settings += " batch_size_run=1"
    words = f"--config={method} {typed} {settings} {RUN} local_results_path={tmp_path}"
    assert main(words.split()) == 0
    logged: dict[str, float] = {}
    for line in harness.metrics(harness.only_run(tmp_path)):
        logged |= line["metrics"]
    assert logged.get("spoiled_episodes", 0) == 0
    assert {"return_mean", "test_return_mean", "loss" if method == "qmix" else "critic_loss"} <= set(logged)
