"""The loss of values that follow targets."""

from torch import Tensor

from cohort.components.averages import Metrics
from cohort.components.functional import masked_mean
from cohort.learners.base import Loss


def temporal_difference(
    joint: Tensor, target: Tensor, mask: Tensor, weight: Tensor | float = 1.0, logged_over: int = 1
) -> Loss:
    """Mean squared error where `mask` [..., 1] holds; [..., J] both, no gradient through the target.

    `weight` is what each square counts; what is logged is unweighted. `q_taken_mean` and `target_mean` are logged
    divided by `logged_over`: the number of agents, where PyMARL does that.
    """
    error = joint - target
    metrics: Metrics = {
        "td_error_abs": masked_mean(error.detach().abs(), mask),
        "q_taken_mean": masked_mean(joint.detach(), mask) / logged_over,
        "target_mean": masked_mean(target, mask) / logged_over,
    }
    return Loss(masked_mean(weight * error.square(), mask), metrics)
