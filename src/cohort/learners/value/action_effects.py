"""How RODE learns its representations of actions: from what actions lead to."""

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.episodes import Episodes
from cohort.envs.base import EnvSpec
from cohort.learners.base import Loss
from cohort.modules.action_representations import ActionRepresentations
from cohort.settings import Settings


class ActionEffectsSettings(Settings):
    action_latent_dim: int = Field(ge=1, description="D, dimensions of the actions' representations")
    action_effects_hidden_dim: int = Field(
        ge=1, description="units of the hidden layers of the encoders that tell actions' effects"
    )
    state_latent_dim: int = Field(
        ge=1, description="dimensions of what the effects' predictor makes of an observation"
    )
    reward_prediction_coef: float = Field(ge=0, description="weight of the predicted reward's squared error")
    action_effects_mask: bool = Field(
        description="predict real steps alone (False: what follows an episode's end too, as RODE's code)"
    )

    def representations(self, spec: EnvSpec) -> ActionRepresentations:
        """The network of this size."""
        return ActionRepresentations(
            spec,
            latent_dim=self.action_latent_dim,
            hidden_dim=self.action_effects_hidden_dim,
            state_latent_dim=self.state_latent_dim,
        )


def effects_loss(
    representations: ActionRepresentations, episodes: Episodes, settings: ActionEffectsSettings
) -> Loss:
    """Mean of ||o'_hat - o'|| over steps and agents, and of the reward's squared error (RODE, eq. 1).

    Departs from it in: the distance itself, not its square, as RODE's code.
    """
    mask = episodes.mask if settings.action_effects_mask else torch.ones_like(episodes.mask)
    obs, next_obs = episodes.obs[:, :-1][mask], episodes.obs[:, 1:][mask]  # [R, N, O]
    effects = representations(obs, episodes.actions[mask])
    distance = torch.linalg.vector_norm(effects.next_obs - next_obs, dim=-1).mean()
    error = (effects.reward - _per_agent(episodes.reward[mask])).square().mean()
    metrics = {"obs_error": distance.detach(), "reward_error": error.detach()}
    return Loss(distance + settings.reward_prediction_coef * error, metrics)


def _per_agent(reward: Tensor) -> Tensor:
    """One reward for all, [R], beside predictions of each agent: [R, 1]; or one for each, [R, N]."""
    return reward.unsqueeze(-1) if reward.dim() == 1 else reward
