"""Controllers: the decentralised policy of the team, and what it is composed of."""

from cohort.registry import Registry

CONTROLLERS = Registry(
    "mac",
    {
        "basic_mac": "cohort.controllers.team_policy:TeamPolicy",
        "role_mac": "cohort.controllers.role_team_policy:RoleTeamPolicy",
    },
)
HEADS = Registry(
    "head",
    {
        "utilities": "cohort.controllers.heads:UtilityHead",
        "categorical": "cohort.controllers.heads:CategoricalHead",
        "categorical_value": "cohort.controllers.heads:CategoricalValueHead",
        "deterministic": "cohort.controllers.continuous_heads:DeterministicHead",
        "role_policies": "cohort.controllers.role_policies:RolePoliciesHead",
        "squashed_gaussian": "cohort.controllers.continuous_heads:SquashedGaussianHead",
    },
)
ACTION_SELECTORS = Registry(
    "action_selector",
    {
        "epsilon_greedy": "cohort.controllers.epsilon_greedy:EpsilonGreedy",
        "epsilon_sampling": "cohort.controllers.epsilon_sampling:EpsilonSampling",
        "gaussian_noise": "cohort.controllers.gaussian_noise:GaussianNoise",
        "random_then_sampling": "cohort.controllers.sampling:RandomThenSampling",
        "role_epsilon_greedy": "cohort.controllers.role_epsilon_greedy:RoleEpsilonGreedy",
        "sampling": "cohort.controllers.sampling:Sampling",
        "uniform_mixture": "cohort.controllers.uniform_mixture:UniformMixture",
    },
)
