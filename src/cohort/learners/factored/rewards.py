"""What a mixed value needs of an environment's rewards."""

from cohort.envs.base import EnvSpec


def refuse_own_rewards(spec: EnvSpec) -> None:
    """Raises `ValueError` where there is no one reward to mix a value of."""
    if not spec.common_reward:
        raise ValueError(
            "a factored critic learns one value for the team, and here every agent has a reward of its own: "
            "give the environment a common reward, or choose another algorithm"
        )
