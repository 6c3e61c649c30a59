"""A small convolutional network for agents that see pictures, which all agents share."""

from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.errors import UserError
from cohort.modules.agents.feed_forward import FeedForward
from cohort.settings import Settings


class CNNAgentSettings(Settings):
    agent_channels: tuple[int, ...] = Field(
        (16, 32),
        min_length=1,
        description="channels behind each 3 x 3 convolution; each halves height and width",
    )
    agent_hidden_dims: tuple[int, ...] = Field(
        min_length=1, description="units of the hidden layers of each agent's network, as [64, 64]"
    )


class CNNAgent(FeedForward):
    """3 x 3 convolutions with stride 2 and ReLU by turns; then, with what is seen besides, Linear and ReLU by turns.

    What is seen besides the picture: the last action and who one is. All agents share the weights.
    """

    Settings = CNNAgentSettings

    weights = "shared"
    reads_pictures = True

    def __init__(
        self,
        settings: CNNAgentSettings,
        *,
        input_dim: int,
        output_dim: int,
        n_agents: int,
        picture: tuple[int, int, int] | None,
    ) -> None:
        """`picture`: height, width and channels of what each agent sees, the first of the inputs.

        Raises:
            UserError: agents do not see pictures.
        """
        super().__init__()
        if picture is None:
            raise UserError(
                "agent=cnn reads pictures of bytes, which this environment does not show: type agent=mlp"
            )
        self.picture = picture
        height, width, colours = picture
        sizes = (colours, *settings.agent_channels)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(*each, 3, stride=2, padding=1) for each in pairwise(sizes)
        )
        for _ in settings.agent_channels:
            height, width = (height + 1) // 2, (width + 1) // 2
        besides = input_dim - colours * picture[0] * picture[1]
        widths = (height * width * sizes[-1] + besides, *settings.agent_hidden_dims, output_dim)
        self.layers = nn.ModuleList(nn.Linear(*each) for each in pairwise(widths))

    @property
    def last_layers(self) -> list[nn.Module]:
        return [self.layers[-1]]

    def rows(self, inputs: Tensor) -> Tensor:
        height, width, colours = self.picture
        seen, besides = inputs.flatten(0, -2).tensor_split([height * width * colours], dim=1)
        features = seen.view(-1, height, width, colours).permute(0, 3, 1, 2)  # [R N, C, H, W]
        for convolution in self.convolutions:
            features = F.relu(convolution(features))
        values = torch.cat([features.flatten(1), besides], dim=1)
        for layer in self.layers[:-1]:
            values = F.relu(layer(values))
        return self.layers[-1](values).view(*inputs.shape[:-1], -1)
