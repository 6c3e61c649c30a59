"""Controllers: the decentralised policy of the team."""

from cohort.registry import Registry

CONTROLLERS = Registry(
    "mac",
    {
        "basic_mac": "cohort.controllers.shared:SharedController",
        "categorical_mac": "cohort.controllers.categorical:CategoricalController",
        "deterministic_mac": "cohort.controllers.deterministic:DeterministicController",
    },
)
ACTION_SELECTORS = Registry(
    "action_selector",
    {
        "epsilon_greedy": "cohort.controllers.epsilon_greedy:EpsilonGreedy",
        "sampling": "cohort.controllers.sampling:Sampling",
        "uniform_mixture": "cohort.controllers.uniform_mixture:UniformMixture",
    },
)
