"""The largest eigenvalue of a Hessian, of losses whose Hessian is known."""

import pytest
import torch

from cohort.components.curvature import largest_eigenvalue


@pytest.mark.parametrize(
    ("eigenvalues", "largest"),
    [((3.0, 1.0, 0.5), 3.0), ((2.0, -5.0, 1.0), 2.0), ((-1.0, -4.0, -2.0), -1.0), ((0.0, 0.0, 0.0), 0.0)],
)
def test_of_a_quadratic_in_two_tensors(eigenvalues, largest):
    """x' H x / 2 with H turned at random; also where another eigenvalue is larger in size."""
    turned, _ = torch.linalg.qr(
        torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    )
    hessian = turned @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ turned.T
    one = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    two = torch.tensor([[-0.7], [0.4]], dtype=torch.float64, requires_grad=True)
    x = torch.cat([one, two.flatten()])
    found = largest_eigenvalue(x @ hessian @ x / 2, [one, two], steps=500)
    assert float(found) == pytest.approx(largest, abs=0.02)
    assert not found.requires_grad


def test_few_products_are_a_bound_from_below():
    x = torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64, requires_grad=True)
    loss = (torch.tensor([4.0, 2.0, 1.0], dtype=torch.float64) * x**2).sum() / 2
    found = [float(largest_eigenvalue(loss, [x], steps=steps)) for steps in (1, 2, 4)]
    assert found == sorted(found)
    assert found[0] == pytest.approx((16 * 4 + 4 * 2 + 1) / (16 + 4 + 1))  # the gradient's Rayleigh quotient
    assert found[-1] < 4.0
