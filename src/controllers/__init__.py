"""Controllers: the decentralised policy of the team."""

from src.registry import Registry

CONTROLLERS = Registry(
    "mac",
    {
        "basic_mac": "src.controllers.shared:SharedController",
        "categorical_mac": "src.controllers.categorical:CategoricalController",
        "deterministic_mac": "src.controllers.deterministic:DeterministicController",
    },
)
ACTION_SELECTORS = Registry(
    "action_selector",
    {
        "epsilon_greedy": "src.controllers.epsilon_greedy:EpsilonGreedy",
        "sampling": "src.controllers.sampling:Sampling",
        "uniform_mixture": "src.controllers.uniform_mixture:UniformMixture",
    },
)
