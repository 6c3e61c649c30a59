"""A feed-forward network for each agent behind a layer normalisation of what it observes."""

from torch import Tensor
from torch.nn import functional as F

from cohort.modules.agents.own_mlp import OwnMLPAgents


class LayerNormedOwnMLPAgents(OwnMLPAgents):
    """Each observation less its mean, over its deviation, then the agent's own perceptron (MAPPO's feature
    normalisation, arXiv:2103.01955, without scale and shift, which the next layer has).

    Acting and learning are the same function of an observation, as probability ratios want it; a normalisation over the
    batch (`own_normed_mlp`) makes them differ before the first update.
    """

    def rows(self, inputs: Tensor) -> Tensor:
        return super().rows(F.layer_norm(inputs, inputs.shape[-1:]))
