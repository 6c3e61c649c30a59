"""AdaMa's second order (its section 3.4, equation 3): what the actors' steps contribute to Q together.

With u_i = (da_i / d theta_i) g_i, the way actor i's action moves for a rate of one,
dQ / d l_i = G_i + sum_j l_j M_ij with M_ij = mean_b u_i^T (d^2 Q / da_i da_j) u_j. The sum over j is one product of the
Hessian with w = l u for all agents at once; the Hessian itself is never made.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp

from cohort.components.functional import inner_per_agent
from cohort.learners.actor_critic.maddpg_learner import ActorGradient


def pairwise_gain(
    policy: nn.Module,
    critic: nn.Module,
    obs: Tensor,
    actors: ActorGradient,
    rates: Tensor,
    *,
    exact: bool,
) -> Tensor:
    """S_i = sum_j l_j M_ij for each agent: [N].

    Args:
        policy: obs [B, N, O] -> actions [B, N, U].
        critic: obs, actions -> values [B].
        obs: [B, N, O].
        actors: the actors' gradients, actions and dJ / da at this point.
        rates: l_a, [N].
        exact: Hessian-vector product; else the change of dQ / da over the step itself (a secant), which a piecewise
            linear critic answers too and which is the same where Q is quadratic.
    """
    moves = action_moves(policy, obs, actors.gradient)  # u: [B, N, U]
    step = rates.view(-1, 1) * moves  # w
    if exact:
        bend = _hessian_product(critic, obs, actors.actions, step)
    else:
        after = (actors.actions + step).requires_grad_()
        (there,) = torch.autograd.grad(critic(obs, after).sum(), after)
        bend = there - len(obs) * actors.action_gradient
    return (moves * bend).sum(-1).mean(0)


def action_moves(policy: nn.Module, obs: Tensor, gradient: Sequence[Tensor]) -> Tensor:
    """u: how each agent's action moves when its parameters move along `gradient` at a rate of one, [B, N, U]."""
    names = [name for name, _ in policy.named_parameters()]
    at = {name: value.detach() for name, value in policy.named_parameters()}
    along = dict(zip(names, gradient, strict=True))
    return jvp(lambda parameters: functional_call(policy, parameters, (obs,)), (at,), (along,))[1]


def _hessian_product(critic: nn.Module, obs: Tensor, actions: Tensor, vector: Tensor) -> Tensor:
    """(d^2 Q / da^2) vector of every sample: [B, N, U]."""
    actions = actions.detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(obs, actions).sum(), actions, create_graph=True)
    if not slope.requires_grad:  # Q is linear in the actions
        return torch.zeros_like(vector)
    return torch.autograd.grad((slope * vector).sum(), actions, materialize_grads=True)[0]


def gain_by_look_ahead(
    policy: nn.Module, critic: nn.Module, obs: Tensor, gradient: Sequence[Tensor], rates: Tensor
) -> Tensor:
    """E_i = <dJ / d theta_i at theta + l g, g_i>: the actors' own curvature enters too, which equation 3 drops. [N]."""
    scale = rates.view(-1, 1, 1)
    moved = {
        name: (value.detach() + scale * along).requires_grad_()
        for (name, value), along in zip(policy.named_parameters(), gradient, strict=True)
    }
    value = critic(obs, functional_call(policy, moved, (obs,))).mean()
    there = torch.autograd.grad(value, list(moved.values()))
    return inner_per_agent(there, gradient)
