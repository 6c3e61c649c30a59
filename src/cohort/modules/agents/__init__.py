"""Per-agent networks: what one agent computes from what it has seen."""

from cohort.registry import Registry

AGENTS = Registry(
    "agent",
    {
        "cnn": "cohort.modules.agents.cnn:CNNAgent",
        "mlp": "cohort.modules.agents.mlp:MLPAgent",
        "own_layer_normed_mlp": "cohort.modules.agents.own_layer_normed_mlp:LayerNormedOwnMLPAgents",
        "own_mlp": "cohort.modules.agents.own_mlp:OwnMLPAgents",
        "own_rnn": "cohort.modules.agents.own_rnn:OwnRNNAgents",
        "own_normed_mlp": "cohort.modules.agents.own_normed_mlp:NormedOwnMLPAgents",
        "rnn": "cohort.modules.agents.rnn:RNNAgent",
    },
)
