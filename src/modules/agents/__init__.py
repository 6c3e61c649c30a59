"""Per-agent networks: what one agent computes from what it has seen."""

from src.registry import Registry

AGENTS = Registry(
    "agent",
    {
        "mlp": "src.modules.agents.mlp:MLPAgent",
        "own_mlp": "src.modules.agents.own_mlp:OwnMLPAgents",
        "own_normed_mlp": "src.modules.agents.own_normed_mlp:NormedOwnMLPAgents",
        "rnn": "src.modules.agents.rnn:RNNAgent",
    },
)
