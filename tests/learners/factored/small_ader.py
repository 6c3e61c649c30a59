"""Small ADER learners, and batches for them."""

import torch

from cohort.components.episodes import Episodes
from cohort.envs.base import EnvSpec
from cohort.learners.packed import PackedEpisodes
from tests.builders import SMALL, make_learner, random_episodes

MIXER_SIZES = {"mixing_embed_dim": 4, "hypernet_embed": 6}
PLANE_SIZES = {"agent_hidden_dims": [8]}
VDN = {"mixer": "vdn", "entropy_nets": "separate"}
VARIANTS = [
    {},
    {"twin": False, "td_lambda": 0.0},
    {"entropy_scale": "one", "td_lambda": 1.0},
    {"entropy_lambda": "code"},
    {"entropy_nets": "separate"},
    {"critics": "soft"},
    {"alpha_include_dead": True, "log_alpha_init": 0.0},
    {"eps_in_learner": True, "epsilon_start": 0.5, "epsilon_finish": 0.5},
    {"hypernet_layers": 1, "gamma": 0.5},
    VDN,
]


def learner(algorithm: str = "ader", spec: EnvSpec = SMALL, **typed):
    """Small, and with targets unlike the live networks."""
    sizes = {} if typed.get("mixer") == "vdn" else MIXER_SIZES
    sizes = sizes | (PLANE_SIZES if spec.action_dim else {"rnn_hidden_dim": 8})
    made = make_learner(algorithm, spec, critic_hidden_dims=[8], **sizes, **typed)
    draw = torch.Generator().manual_seed(3)
    for parameter in made.targets.networks.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=draw)
    return made


def episodes(lengths=(3, 5, 1, 4), **options) -> Episodes:
    return random_episodes(list(lengths), **options).map(
        lambda each: each.to(torch.get_default_dtype()) if each.is_floating_point() else each
    )


def moments(ours, packed: PackedEpisodes):
    return ours.moments(packed, ours.noise(len(packed.packing.steps)))


def gradient(loss, network, *, retain: bool = False):
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True, retain_graph=retain)
    return [each for each in found if each is not None]
