"""MNMPG's hierarchy network: a Gaussian over what the team is after at this step."""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

VARIANCE_FLOOR = 0.002


class DiagonalGaussian(NamedTuple):
    """N(mean, diag(variance))."""

    mean: Tensor  # [..., K]
    variance: Tensor  # [..., K]

    def sample(self, noise: Tensor) -> Tensor:
        """mean + sqrt(variance) * noise, differentiable in both: [..., K]."""
        return self.mean + self.variance.sqrt() * noise


class Hierarchy(nn.Module):
    """theta of MNMPG (eq. 2): z_t ~ N(mu(x_t), diag(var(x_t))).

    Hidden size, LeakyReLU and the hard variance floor (no gradient below it) are the authors' code's.
    """

    def __init__(self, *, input_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(input_dim, hidden_dim)
        self.mean = nn.Linear(hidden_dim, latent_dim)
        self.log_variance = nn.Linear(hidden_dim, latent_dim)

    def forward(self, inputs: Tensor) -> DiagonalGaussian:
        """[..., X] -> mean and variance, [..., K] each."""
        hidden = F.leaky_relu(self.encoder(inputs), 0.01)
        variance = self.log_variance(hidden).exp().clamp(min=VARIANCE_FLOOR)
        return DiagonalGaussian(self.mean(hidden), variance)
