"""Names for what is logged of each agent, or of each pair of agents."""

from torch import Tensor

from cohort.components.averages import Metrics


def per_agent(name: str, values: Tensor) -> Metrics:
    """`<name>_<i>`: [N]."""
    return {f"{name}_{i}": value for i, value in enumerate(values.unbind())}


def per_pair(name: str, values: Tensor) -> Metrics:
    """`<name>_<i>_<j>` for every agent i and other agent j: [N, N]."""
    return {
        f"{name}_{i}_{j}": value
        for i, row in enumerate(values.unbind())
        for j, value in enumerate(row.unbind())
        if i != j
    }
