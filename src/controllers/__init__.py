"""Controllers: the decentralised policy of the team."""

from src.registry import Registry

CONTROLLERS = Registry("mac", {"basic_mac": "src.controllers.shared:SharedController"})
ACTION_SELECTORS = Registry(
    "action_selector", {"epsilon_greedy": "src.controllers.epsilon_greedy:EpsilonGreedy"}
)
