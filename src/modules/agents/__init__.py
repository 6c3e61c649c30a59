"""Per-agent networks: what one agent computes from what it has seen."""

from src.registry import Registry

AGENTS = Registry(
    "agent", {"rnn": "src.modules.agents.rnn:RNNAgent", "mlp": "src.modules.agents.mlp:MLPAgent"}
)
