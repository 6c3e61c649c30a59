"""Episodes in roles, and learners with roles, for tests of RODE and what is built on it."""

import torch
from torch import nn

from cohort.components.episodes import Episodes
from cohort.learners.value.rode_learner import RODELearner
from cohort.modules.roles import RoleSpaces
from tests.builders import make_learner

SIZES = {"n_role_clusters": 3, "action_latent_dim": 6, "rnn_hidden_dim": 8, "role_selector_hidden_dim": 7}


def in_roles(episodes: Episodes, count: int, interval: int = 5, seed: int = 3) -> Episodes:
    """The same with random roles, which last `interval` steps."""
    draw = torch.Generator().manual_seed(seed)
    batch, steps, agents = episodes.actions.shape
    choices = torch.randint(count, (batch, -(-steps // interval), agents), generator=draw)
    roles = choices.repeat_interleave(interval, dim=1)[:, :steps].float()
    return episodes.with_extras(roles=roles.masked_fill(~episodes.mask.unsqueeze(-1), 0.0))


def formed(algorithm: str = "rode", **typed) -> RODELearner:
    """A learner with four roles of random representations, whose targets differ from its live networks."""
    learner = make_learner(algorithm, **{**SIZES, **typed})
    draw = torch.Generator().manual_seed(5)
    allowed = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]]).bool()
    latents = torch.randn(4, SIZES["action_latent_dim"], generator=draw)
    for policy in (learner.policy, learner.targets["policy"]):
        policy.roles.become(RoleSpaces(allowed, latents))
    learner.formed.fill_(True)
    torch.manual_seed(9)
    for parameter in learner.targets.networks.parameters():
        nn.init.normal_(parameter, std=0.3)
    return learner
