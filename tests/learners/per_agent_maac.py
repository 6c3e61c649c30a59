"""MAAC the obvious way: modules of torch for each agent and each head, loops over both, an optimiser for each actor."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from cohort.components.transitions import Transitions
from cohort.learners.actor_critic.counterfactual import CounterfactualLearner


class PerAgentCritic:
    """The critic's layers with an agent's and a head's own weights wherever they are one's own."""

    def __init__(self, critic: nn.Module, agents: int) -> None:
        """Copies the weights of ours."""
        width = critic.key.out_features // critic.heads
        self.agents = agents
        self.encoders = [_linear(critic.encoder, i) for i in range(agents)]
        self.states = [_linear(critic.state_encoder, i) for i in range(agents)]
        self.hidden = [_linear(critic.head.layers[0], i) for i in range(agents)]
        self.outputs = [_linear(critic.head.layers[1], i) for i in range(agents)]
        cuts = [slice(h * width, (h + 1) * width) for h in range(critic.heads)]
        self.heads = [
            {name: _leaf(weight[cut]) for name, weight in critic.named_parameters() if _is_head(name)}
            for cut in cuts
        ]
        self.width = width

    def __call__(self, obs, actions, like=None):
        """[B, N, O], [B, N, A] -> the values of each agent [B, A], and each agent's logits, one [B, N - 1] per head."""
        like = actions if like is None else like
        e, s = [], []
        for i in range(self.agents):
            read = torch.cat(
                [_normalised(obs[:, i], obs[:, i]), _normalised(actions[:, i], like[:, i])], dim=1
            )
            e.append(F.leaky_relu(_apply(self.encoders[i], read)))
            s.append(F.leaky_relu(_apply(self.states[i], _normalised(obs[:, i], obs[:, i]))))
        values, logits = [], []
        for i in range(self.agents):
            others, heard, raws = [j for j in range(self.agents) if j != i], [], []
            for head in self.heads:
                query = s[i] @ head["query.weight"].T
                raw = torch.stack([(query * (e[j] @ head["key.weight"].T)).sum(1) for j in others], dim=1)
                weights = (raw / math.sqrt(self.width)).softmax(1)
                said = [F.leaky_relu(e[j] @ head["value.weight"].T + head["value.bias"]) for j in others]
                heard.append(sum(weights[:, k : k + 1] * said[k] for k in range(len(others))))
                raws.append(raw)
            hidden = F.leaky_relu(_apply(self.hidden[i], torch.cat([s[i], *heard], dim=1)))
            values.append(_apply(self.outputs[i], hidden))
            logits.append(raws)
        return values, logits

    @property
    def shared(self) -> list[torch.Tensor]:
        return [each for pair in self.encoders for each in pair] + [
            each for head in self.heads for each in head.values()
        ]

    @property
    def parameters(self) -> list[torch.Tensor]:
        own = [
            each for layers in (self.states, self.hidden, self.outputs) for pair in layers for each in pair
        ]
        return self.shared + own

    def stacked(self) -> dict[str, torch.Tensor]:
        """The same under our names and in our shapes."""
        layers = {
            "encoder": self.encoders,
            "state_encoder": self.states,
            "head.layers.0": self.hidden,
            "head.layers.1": self.outputs,
        }
        found = {f"{name}.weight": torch.stack([w for w, _ in pairs]) for name, pairs in layers.items()}
        found |= {f"{name}.bias": torch.stack([b for _, b in pairs]) for name, pairs in layers.items()}
        return found | {name: torch.cat([head[name] for head in self.heads]) for name in self.heads[0]}


class PerAgentActor:
    """One agent's policy."""

    def __init__(self, actors: nn.Module, agent: int) -> None:
        self.layers = [_linear(layer, agent) for layer in actors.networks.layers]

    def __call__(self, obs, available):
        """[B, O], [B, A] -> logits and log pi, [B, A] each."""
        rows = _normalised(obs, obs)
        for layer in self.layers[:-1]:
            rows = F.leaky_relu(_apply(layer, rows))
        logits = _apply(self.layers[-1], rows)
        return logits, logits.masked_fill(~available, -math.inf).log_softmax(1)

    @property
    def parameters(self) -> list[torch.Tensor]:
        return [each for layer in self.layers for each in layer]


class PerAgentMAAC:
    """Whole updates from given draws of actions, as the authors' code does them."""

    def __init__(self, learner: CounterfactualLearner) -> None:
        """Copies networks and targets; optimisers begin anew."""
        self.settings, self.agents, self.actions = learner.settings, learner.n_agents, learner.n_actions
        copies = [
            (
                PerAgentCritic(networks["critic"], self.agents),
                [PerAgentActor(networks["policy"].network, i) for i in range(self.agents)],
            )
            for networks in (learner.networks, learner.targets)
        ]
        (self.critic, self.actors), (self.target_critic, self.target_actors) = copies

    def start_optimisers(self) -> None:
        s = self.settings
        self.critic_adam = torch.optim.Adam(
            self.critic.parameters, lr=s.critic_lr, eps=s.optim_eps, weight_decay=s.critic_weight_decay
        )
        self.actor_adams = [
            torch.optim.Adam(a.parameters, lr=s.actor_lr, eps=s.optim_eps) for a in self.actors
        ]

    def one_hot(self, actions):
        return F.one_hot(actions, self.actions).double()

    def next_values(self, batch: Transitions, next_actions):
        """Per agent: target value and log pi of the next action, [B] each."""
        values, _ = self.target_critic(batch.next_obs, self.one_hot(next_actions))
        found = []
        for i, actor in enumerate(self.target_actors):
            _, log_pi = actor(batch.next_obs[:, i], batch.next_available_actions[:, i])
            chosen = next_actions[:, i : i + 1]
            found.append((values[i].gather(1, chosen)[:, 0], log_pi.gather(1, chosen)[:, 0]))
        return found

    def critic_loss(self, batch: Transitions, next_actions):
        """(sum of the agents' mean squared errors, the whole loss)."""
        gamma, scale = self.settings.gamma, self.settings.reward_scale
        values, logits = self.critic(batch.obs, self.one_hot(batch.actions))
        error, penalty = 0.0, 0.0
        for i, (next_value, log_pi) in enumerate(self.next_values(batch, next_actions)):
            reward = batch.reward if batch.reward.dim() == 1 else batch.reward[:, i]
            goes_on = 1 - batch.terminated.double()
            target = reward + gamma * goes_on * next_value - log_pi / scale
            if self.settings.entropy_inside_gamma:
                target = reward + gamma * goes_on * (next_value - log_pi / scale)
            q = values[i].gather(1, batch.actions[:, i : i + 1])[:, 0]
            error = error + F.mse_loss(q, target.detach())
            penalty = penalty + sum((raw**2).mean() for raw in logits[i])
        return error, error + self.settings.attention_penalty * penalty

    def actor_loss(self, batch: Transitions, actions, i: int):
        logits, log_pi = self.actors[i](batch.obs[:, i], batch.available_actions[:, i])
        values, _ = self.critic(batch.obs, self.one_hot(actions))
        chosen = actions[:, i : i + 1]
        baseline = (values[i] * log_pi.exp()).sum(1)
        advantage = values[i].gather(1, chosen)[:, 0] - baseline
        score = log_pi.gather(1, chosen)[:, 0]
        weight = (score / self.settings.reward_scale - advantage).detach()
        return (score * weight).mean() + self.settings.policy_penalty * (logits**2).mean()

    def update(self, batch: Transitions, next_actions, actions) -> None:
        self.critic_adam.zero_grad()
        self.critic_loss(batch, next_actions)[1].backward()
        for each in self.critic.shared:
            each.grad.mul_(1 / self.agents)
        nn.utils.clip_grad_norm_(self.critic.parameters, self.settings.critic_grad_norm_clip * self.agents)
        self.critic_adam.step()
        losses = [self.actor_loss(batch, actions, i) for i in range(self.agents)]
        for loss, actor, adam in zip(losses, self.actors, self.actor_adams, strict=True):
            for parameter, gradient in zip(
                actor.parameters, torch.autograd.grad(loss, actor.parameters), strict=True
            ):
                parameter.grad = gradient
            nn.utils.clip_grad_norm_(actor.parameters, self.settings.actor_grad_norm_clip)
            adam.step()
        rate = self.settings.target_update_rate
        pairs = [(self.target_critic, self.critic), *zip(self.target_actors, self.actors, strict=True)]
        with torch.no_grad():
            for target, live in pairs:
                for old, new in zip(target.parameters, live.parameters, strict=True):
                    old.copy_(old * (1 - rate) + new * rate)


def _linear(stacked: nn.Module, agent: int) -> tuple[torch.Tensor, torch.Tensor]:
    return _leaf(stacked.weight[agent]), _leaf(stacked.bias[agent])


def _apply(layer: tuple[torch.Tensor, torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
    return rows @ layer[0] + layer[1]


def _normalised(rows: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return (rows - like.mean(0)) / (like.var(0, correction=0) + 1e-5).sqrt()


def _leaf(values: torch.Tensor) -> torch.Tensor:
    return values.detach().clone().requires_grad_()


def _is_head(name: str) -> bool:
    return name.split(".")[0] in ("key", "query", "value")
