"""Pictures of bytes from the game through the memory to the network."""

import dataclasses

import numpy as np
import torch

from tests.builders import random_episodes
from tests.envs.foreign.support import needs

needs("gymnasium")
needs("pettingzoo")

from gymnasium.spaces import Box, Discrete  # noqa: E402

from cohort.cli import main  # noqa: E402
from cohort.components import rows  # noqa: E402
from cohort.components.pictures import as_numbers  # noqa: E402
from cohort.components.replay import Replay, ReplaySettings  # noqa: E402
from cohort.envs import ENVS  # noqa: E402
from cohort.envs.base import EnvSpec  # noqa: E402
from cohort.envs.foreign.agent_spaces import AgentSpaces  # noqa: E402
from cohort.envs.foreign.pictures import PictureSettings, shrunk  # noqa: E402
from cohort.modules.agents.cnn import CNNAgent, CNNAgentSettings  # noqa: E402
from cohort.policy import load_policy  # noqa: E402
from cohort.portable.check import largest_difference  # noqa: E402
from cohort.portable.team import Port, PortableTeam  # noqa: E402
from tests import harness  # noqa: E402
from tests.finished_runs import refusal  # noqa: E402

LAMPS = "tests.envs.foreign.picture_teams:Lamps-v0"


def lamps(**arguments):
    cls = ENVS.load("gymnasium")
    return cls(cls.Settings(key=LAMPS, **arguments), batch_size=2, seed=1)


def test_pictures_stay_bytes_between_game_and_memory():
    with lamps(time_limit=3) as env:
        spec = env.spec
        assert (spec.picture, spec.obs_dim, spec.state_dim, spec.state_in_bytes) == (
            (8, 8, 3),
            192,
            384,
            True,
        )
        observation = env.reset()
        assert observation.obs.dtype == observation.state.dtype == torch.uint8
        assert torch.equal(observation.obs.flatten(1), observation.state)
        assert (observation.obs == 255).sum() == 4  # two lamps in each of two games
        then = env.step(torch.zeros(2, 2, dtype=torch.int64)).observation.obs.view(2, 2, 8, 8, 3)
        assert (then[..., 1] == 10).all()


def test_a_picture_is_made_smaller_by_means():
    draw = np.random.default_rng(0)
    picture = draw.integers(256, size=(7, 9, 3), dtype=np.uint8)
    small = shrunk(picture, PictureSettings(picture_shrink=2))
    assert small.shape == (3, 4, 3)
    for row, column, colour in np.ndindex(small.shape):
        square = picture[2 * row : 2 * row + 2, 2 * column : 2 * column + 2, colour]
        assert small[row, column, colour] == round(square.mean(dtype=np.float32))
    grey = shrunk(picture, PictureSettings(picture_grey=True))
    assert np.array_equal(grey[..., 0], picture.mean(2, dtype=np.float32).round().astype(np.uint8))
    assert shrunk(picture, PictureSettings(picture_shrink=100)).shape == (1, 1, 3)
    assert shrunk(picture, PictureSettings()) is picture
    seat = AgentSpaces("a", Box(0, 255, (7, 9, 3), np.uint8), Discrete(2), PictureSettings(picture_shrink=3))
    assert (seat.picture, seat.obs_dim) == ((2, 3, 3), 18)
    assert (
        seat.observe(picture).tolist()
        == shrunk(picture, PictureSettings(picture_shrink=3)).flatten().tolist()
    )


PICTURES = EnvSpec(3, 4, 30, 60, 5, picture=(5, 2, 3), state_in_bytes=True)


def picture_memory() -> Replay:
    return Replay(
        ReplaySettings(
            buffer_size=8, buffer_dtype="float16", buffer_cpu_only=True, standardise_rewards=False
        ),
        unit="episodes",
        spec=PICTURES,
        extras={},
        device=torch.device("cpu"),
        generator=torch.Generator().manual_seed(0),
    )


def test_the_memory_holds_bytes_and_gives_numbers():
    episodes = random_episodes([2, 5], seed=0)
    draw = torch.Generator().manual_seed(0)
    obs, state = (
        torch.randint(256, (2, 6, *shape), generator=draw, dtype=torch.uint8) for shape in ((3, 30), (60,))
    )
    replay = picture_memory()
    replay.add(dataclasses.replace(episodes, obs=obs, state=state, extras={}))
    assert replay._ring.fields["obs"].stored == torch.uint8
    assert "uint8" in replay.describe()
    read = replay._read(torch.tensor([0, 1]))
    assert read.obs.dtype == read.state.dtype == torch.float32
    for row, length in enumerate(episodes.length.tolist()):
        assert torch.equal(read.obs[row, : length + 1], as_numbers(obs[row, : length + 1]))
        assert torch.equal(
            (read.state[row, : length + 1] * 255).round().to(torch.uint8), state[row, : length + 1]
        )
        assert not read.obs[row, length + 1 :].any()
    replay.add(read)  # what learned from numbers may give them back
    again = replay._read(torch.tensor([2, 3]))
    assert torch.equal(again.obs, read.obs)
    assert torch.equal(again.state, read.state)
    restored = picture_memory()
    restored.load_state_dict(replay.state_dict())
    assert torch.equal(restored._read(torch.tensor([2, 3])).obs, read.obs)


def test_the_first_block_of_a_memory_is_bounded_in_bytes():
    """PettingZoo's pistonball: 20 agents that see 457 x 120 x 3; 4,096 rows of floats were 54 GB."""
    pistonball = EnvSpec(20, 0, 164_520, 1, 125, action_dim=1, picture=(457, 120, 3))
    ring = rows.RowRing(
        rows.step_fields(pistonball, torch.float32, {}), most_rows=10**6, device=torch.device("cpu")
    )
    assert ring._first_rows * 164_520 * 20 <= rows.FIRST_BYTES
    small = rows.step_fields(EnvSpec(2, 3, 4, 5, 6), torch.float32, {})
    assert rows.RowRing(small, most_rows=10**6, device=torch.device("cpu"))._first_rows == rows.FIRST_ROWS


def test_the_network_convolves_the_picture_and_reads_what_is_seen_besides():
    torch.manual_seed(0)
    settings = CNNAgentSettings(agent_channels=(4, 5), agent_hidden_dims=(6,))
    network = CNNAgent(settings, input_dim=5 * 4 * 3 + 7, output_dim=2, n_agents=3, picture=(5, 4, 3))
    inputs = torch.rand(2, 3, 67)
    found = network.rows(inputs)
    assert found.shape == (2, 3, 2)
    picture = inputs[1, 2, :60].numpy().reshape(5, 4, 3)
    kernel, bias = (each.detach().numpy() for each in network.convolutions[0].parameters())
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)))
    first = np.zeros((4, 3, 2), dtype=np.float32)
    for channel, row, column in np.ndindex(first.shape):
        window = padded[2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        first[channel, row, column] = max(
            0, (window * kernel[channel].transpose(1, 2, 0)).sum() + bias[channel]
        )
    rest = torch.relu(network.convolutions[1](torch.from_numpy(first)))
    values = torch.relu(network.layers[0](torch.cat([rest.flatten(), inputs[1, 2, 60:]])))
    torch.testing.assert_close(network.layers[1](values), found[1, 2])


def test_without_pictures_the_network_is_refused_before_anything_is_written(tmp_path, capsys):
    typed = ["with", "agent=cnn", f"local_results_path={tmp_path}"]
    said = refusal(capsys, "--config=qmix", "--env-config=matrix_games", *typed)
    assert "agent=cnn reads pictures of bytes, which this environment does not show: type agent=mlp" in said
    assert not list(tmp_path.iterdir())


def run(folder, config, typed):
    words = (
        f"env_args.key={LAMPS} env_args.time_limit=6 batch_size_run=2 log_interval=500 use_cuda=False {typed}"
    )
    words += f" local_results_path={folder}"
    assert main([f"--config={config}", "--env-config=gymnasium", "with", *words.split()]) == 0
    return harness.only_run(folder)


def test_qmix_with_convolutions_finds_the_lamps(tmp_path):
    """Random answers bring 3, right ones 12."""
    typed = "agent=cnn agent_channels=[8,16] agent_hidden_dims=[32] mixing_embed_dim=8 lr=0.004 batch_size=16"
    more = "t_max=900 epsilon_anneal_time=600 test_interval=900 test_nepisode=16"
    folder = run(tmp_path, "qmix", f"{typed} {more}")
    tested = [line["metrics"].get("test_return_mean") for line in harness.metrics(folder)]
    first, *_, last = [each for each in tested if each is not None]
    assert first < 6 < 10 < last


def test_learners_without_a_memory_and_of_single_steps_read_numbers(tmp_path):
    """What learns from bytes as they are would diverge or stop for their type."""
    short = "t_max=120 test_interval=120 test_nepisode=2"
    run(tmp_path / "ppo", "mappo", f"{short} agent=cnn agent_channels=[4] agent_hidden_dims=[16]")
    run(tmp_path / "maac", "maac", f"{short} env_args.common_reward=False batch_size=32")


def test_an_exported_policy_takes_bytes(tmp_path):
    typed = "t_max=12 test_interval=100 agent=cnn agent_channels=[4] agent_hidden_dims=[8]"
    policy = load_policy(run(tmp_path, "mappo", typed))
    portable = PortableTeam(policy.team).eval()
    assert portable.observed[0] == Port("observation", (2, 192), torch.uint8)
    assert largest_difference(policy, portable, lambda inputs: portable(*inputs)) == 0
