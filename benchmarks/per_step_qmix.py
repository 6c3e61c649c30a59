"""QMIX's update written plainly: one call of every network per time step, as PyMARL has it.

The yardstick of the update benchmark, and an independent reference for the learner's tests.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.components.episodes import Episodes


class PerStepAgent(nn.Module):
    """The utility network with a GRU cell."""

    def __init__(self, input_dim: int, n_actions: int, hidden: int = 64) -> None:
        super().__init__()
        self.hidden = hidden
        self.fc1 = nn.Linear(input_dim, hidden)
        self.rnn = nn.GRUCell(hidden, hidden)
        self.fc2 = nn.Linear(hidden, n_actions)

    def forward(self, inputs: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """[M, I], [M, H] -> utilities [M, A], memory [M, H]."""
        memory = self.rnn(F.relu(self.fc1(inputs)), memory)
        return self.fc2(memory), memory


class PerStepMixer(nn.Module):
    """QMIX's mixer on flattened rows."""

    def __init__(self, n_agents: int, state_dim: int, embed: int = 32, hyper: int = 64) -> None:
        super().__init__()
        self.n_agents, self.state_dim, self.embed = n_agents, state_dim, embed
        self.w1 = nn.Sequential(nn.Linear(state_dim, hyper), nn.ReLU(), nn.Linear(hyper, n_agents * embed))
        self.w2 = nn.Sequential(nn.Linear(state_dim, hyper), nn.ReLU(), nn.Linear(hyper, embed))
        self.b1 = nn.Linear(state_dim, embed)
        self.v = nn.Sequential(nn.Linear(state_dim, embed), nn.ReLU(), nn.Linear(embed, 1))

    def forward(self, utilities: Tensor, states: Tensor) -> Tensor:
        """[B, T, N], [B, T, S] -> [B, T, 1]."""
        batch = utilities.shape[0]
        states = states.reshape(-1, self.state_dim)
        utilities = utilities.reshape(-1, 1, self.n_agents)
        w1 = self.w1(states).abs().view(-1, self.n_agents, self.embed)
        hidden = F.elu(torch.bmm(utilities, w1) + self.b1(states).view(-1, 1, self.embed))
        w2 = self.w2(states).abs().view(-1, self.embed, 1)
        return (torch.bmm(hidden, w2) + self.v(states).view(-1, 1, 1)).view(batch, -1, 1)


class PerStepQMIX:
    """The whole update: double Q-learning, RMSprop, gradient clipping."""

    def __init__(
        self, n_agents: int, n_actions: int, obs_dim: int, state_dim: int, device: torch.device
    ) -> None:
        self.n_agents, self.n_actions = n_agents, n_actions
        input_dim = obs_dim + n_actions + n_agents
        self.agent = PerStepAgent(input_dim, n_actions).to(device)
        self.target_agent = PerStepAgent(input_dim, n_actions).to(device)
        self.mixer = PerStepMixer(n_agents, state_dim).to(device)
        self.target_mixer = PerStepMixer(n_agents, state_dim).to(device)
        self.parameters = [*self.agent.parameters(), *self.mixer.parameters()]
        self.optimiser = torch.optim.RMSprop(self.parameters, lr=5e-4, alpha=0.99, eps=1e-5)

    def loss(self, episodes: Episodes, gamma: float = 0.99) -> Tensor:
        steps = episodes.reward.shape[1]
        available = episodes.available_actions
        live = self._unroll(self.agent, episodes)
        chosen = torch.gather(live[:, :-1], 3, episodes.actions.unsqueeze(3)).squeeze(3)
        target = self._unroll(self.target_agent, episodes)[:, 1:]
        target[~available[:, 1:]] = -9999999
        detached = live.clone().detach()
        detached[~available] = -9999999
        best = detached[:, 1:].max(dim=3, keepdim=True)[1]
        next_value = torch.gather(target, 3, best).squeeze(3)
        joint = self.mixer(chosen, episodes.state[:, :-1])
        next_joint = self.target_mixer(next_value, episodes.state[:, 1:])
        ends = episodes.terminated.float().unsqueeze(2)
        target_value = episodes.reward.unsqueeze(2) + gamma * (1 - ends) * next_joint
        mask = (torch.arange(steps, device=joint.device) < episodes.length[:, None]).float().unsqueeze(2)
        error = (joint - target_value.detach()) * mask
        return (error**2).sum() / mask.sum()

    def update(self, episodes: Episodes) -> Tensor:
        loss = self.loss(episodes)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 10)
        self.optimiser.step()
        return loss.detach()

    def _unroll(self, agent: PerStepAgent, episodes: Episodes) -> Tensor:
        """[B, T+1, N, A], one step after the other."""
        batch, steps = episodes.obs.shape[:2]
        memory = episodes.obs.new_zeros(batch * self.n_agents, agent.hidden)
        utilities = []
        for t in range(steps):
            inputs = [episodes.obs[:, t]]
            last = F.one_hot(episodes.actions[:, t - 1], self.n_actions).float() if t else None
            inputs.append(
                torch.zeros_like(episodes.available_actions[:, t], dtype=torch.float32) if t == 0 else last
            )
            ids = torch.eye(self.n_agents, device=memory.device).unsqueeze(0).expand(batch, -1, -1)
            inputs.append(ids)
            flat = torch.cat([each.reshape(batch * self.n_agents, -1) for each in inputs], dim=1)
            values, memory = agent(flat, memory)
            utilities.append(values.view(batch, self.n_agents, -1))
        return torch.stack(utilities, dim=1)
