"""ADER's losses by loops over episodes, steps, agents and actions, as its specification writes them."""

import torch
from torch import Tensor

from cohort.components.episodes import Episodes


class SlowADER:
    """What one update of a learner for discrete actions makes of a batch, with its networks."""

    def __init__(self, learner, episodes: Episodes, epsilon: float | None = None) -> None:
        """`epsilon` is the share of equal chances within the policy that is learned."""
        self.learner, self.episodes, self.settings = learner, episodes, learner.settings
        self.n_agents = episodes.obs.shape[2]
        self.alpha = [float(each.exp().clamp(self.settings.alpha_min, self.settings.alpha_max).detach())
                      for each in learner.temperatures.log_alpha]  # fmt: skip
        self.policies = [self.policy_of(b, epsilon) for b in range(len(episodes.length))]
        self.steps = [(b, t) for b, length in enumerate(episodes.length.tolist()) for t in range(length)]

    def policy_of(self, b: int, epsilon: float | None) -> list[list[list[Tensor]]]:
        """pi[t][i][a] of episode b, step by step."""
        learner, hidden, chances = self.learner, None, []
        inputs = learner.policy.inputs(self.episodes)
        for t in range(int(self.episodes.length[b]) + 1):
            logits, hidden = learner.policy.network.step(inputs[b : b + 1, t], hidden)
            agents = []
            for i in range(self.n_agents):
                may = self.episodes.available_actions[b, t, i].tolist()
                total = sum(logits[0, i, a].exp() for a, ok in enumerate(may) if ok)
                pi = [logits[0, i, a].exp() / total if ok else torch.zeros(()) for a, ok in enumerate(may)]
                if epsilon is not None:
                    pi = [(1 - epsilon) * p + epsilon / sum(may) if ok else p
                          for p, ok in zip(pi, may, strict=True)]  # fmt: skip
                agents.append(pi)
            chances.append(agents)
        return chances

    def entropy(self, b: int, t: int, i: int) -> Tensor:
        return -sum(p * p.log() for p in self.policies[b][t][i] if p > 0)

    def scale(self, i: int) -> float:
        return self.alpha[i] if self.settings.entropy_scale == "alpha" else 1.0

    # values

    def utilities(self, value, b: int, t: int) -> Tensor:
        """Q_i(., a), [.., N, A]: with separate nets the first dimension is each net's."""
        return value.utilities(self.episodes.obs[b, t].unsqueeze(0)).squeeze(-3)

    def joint(self, value, utilities: Tensor, b: int, t: int) -> Tensor:
        return value.joint(utilities.unsqueeze(-2), self.episodes.state[b, t].unsqueeze(0))[0]

    def expected(self, value, b: int, t: int) -> Tensor:
        """V_i = sum_a pi_i(a) Q_i(a)."""
        q, pi = self.utilities(value, b, t).detach(), self.policies[b][t]
        own = [sum(p * q[..., i, a] for a, p in enumerate(pi[i])) for i in range(self.n_agents)]
        return torch.stack(own, dim=-1)

    def value(self, networks, kind: str, b: int, t: int) -> Tensor:
        """min_k f_k(s; V_1 ... V_N): [J]."""
        copies = [networks[name] for name in self.learner.names[kind]]
        joint = [self.joint(value, self.expected(value, b, t), b, t) for value in copies]
        return torch.stack(joint).amin(0)

    # targets

    def targets(self, kind: str) -> dict[tuple[int, int], Tensor]:
        """By the recursions of the specification's section 3.4, from the end of each episode to its beginning."""
        gamma, mix, found = self.settings.gamma, self.settings.td_lambda, {}
        for b, length in enumerate(self.episodes.length.tolist()):
            following = None
            for t in reversed(range(length)):
                live = 0.0 if self.episodes.terminated[b, t] else 1.0
                value = self.value(self.learner.targets, kind, b, t + 1).detach()
                bonus = torch.stack([self.entropy(b, t + 1, i) for i in range(self.n_agents)]).detach()
                weights = torch.tensor([self.scale(i) for i in range(self.n_agents)])
                reward = self.episodes.reward[b, t].reshape(1)
                if kind == "entropy_critic":
                    reward, bonus = 0.0, weights * bonus
                    if self.settings.entropy_lambda == "code":
                        value, bonus = value + bonus, 0.0
                elif self.settings.critics == "soft":
                    bonus = sum(self.alpha[i] * bonus[i] for i in range(self.n_agents))
                else:
                    bonus = 0.0
                later = value if following is None else (1 - mix) * value + mix * following
                following = reward + gamma * live * (bonus + later)
                found[b, t] = following
        return found

    # losses

    def critic_loss(self, kind: str) -> Tensor:
        """sum over copies, and over agents, of the mean squared error."""
        targets, total = self.targets(kind), 0.0
        for name in self.learner.names[kind]:
            value = self.learner.networks[name]
            for b, t in self.steps:
                q = self.utilities(value, b, t)
                own = [q[..., i, int(self.episodes.actions[b, t, i])] for i in range(self.n_agents)]
                error = self.joint(value, torch.stack(own, dim=-1), b, t) - targets[b, t]
                total = total + error.square().sum() / len(self.steps)
        return total

    def actor_loss(self) -> Tensor:
        total = 0.0
        for b, t in self.steps:
            value = self.value(self.learner.networks, "reward_critic", b, t)[0]
            for i in range(self.n_agents):
                value = value + self.alpha[i] * self.entropy(b, t, i)
            if "entropy_critic" in self.learner.names:
                future = self.value(self.learner.networks, "entropy_critic", b, t)
                value = value + sum(self.alpha[i] * future[i] for i in range(self.n_agents))
            total = total - value / len(self.steps)
        return total

    def alpha_loss(self, target: Tensor) -> Tensor:
        total, count = 0.0, 0
        for b, t in self.steps:
            for i in range(self.n_agents):
                if self.settings.alpha_include_dead or self.episodes.available_actions[b, t, i].sum() > 1:
                    gap = float(self.entropy(b, t, i).detach()) - float(target[i])
                    total, count = total + self.learner.temperatures.log_alpha[i] * gap, count + 1
        return total / count

    def gains(self) -> Tensor:
        """dV^R / dV_i of every step: [R, N]."""
        rows = []
        for b, t in self.steps:
            copies = [self.learner.networks[name] for name in self.learner.names["reward_critic"]]
            own = [self.expected(value, b, t).detach().requires_grad_() for value in copies]
            joint = [self.joint(value, v, b, t) for value, v in zip(copies, own, strict=True)]
            smallest = min(range(len(copies)), key=lambda k: float(joint[k].detach()))
            rows.append(torch.autograd.grad(joint[smallest].sum(), own[smallest])[0])
        return torch.stack(rows)
