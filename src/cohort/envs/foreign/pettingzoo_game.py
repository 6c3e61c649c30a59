"""A PettingZoo environment inside its worker process. The only module that imports one."""

import functools
import importlib
from typing import Any

from pettingzoo import AECEnv
from pettingzoo.utils import wrappers
from pettingzoo.utils.conversions import aec_to_parallel_wrapper

from cohort.envs.foreign.parallel import ParallelGame
from cohort.envs.foreign.settings import PettingZooSettings
from cohort.envs.foreign.team import stated_limit
from cohort.errors import UserError

_FUNCTION = "parallel_env"
_CHECKS = (wrappers.OrderEnforcingWrapper, wrappers.AssertOutOfBoundsWrapper)


class PettingZooGame(ParallelGame):
    """Any environment with PettingZoo's parallel interface."""

    def __init__(self, settings: PettingZooSettings) -> None:
        super().__init__(
            settings, common_reward=settings.common_reward, scalarisation=settings.reward_scalarisation
        )

    def open_env(self, render_mode: str | None) -> Any:
        name, _, function = self.settings.key.partition(":")
        module = importlib.import_module(name)
        if not hasattr(module, function or _FUNCTION):
            raise UserError(
                f"env_args.key = {self.settings.key!r}: the module {name} has no function {function or _FUNCTION}; "
                "name another one: env_args.key=package.module:function"
            )
        shown = {"render_mode": render_mode} if render_mode else {}
        env = getattr(module, function or _FUNCTION)(**self.settings.kwargs, **shown)
        if isinstance(env, AECEnv):
            raise UserError(
                f"env_args.key = {self.settings.key!r} makes {env}, in which agents do not act at the same time; "
                "PettingZoo's parallel environments come from a function parallel_env"
            )
        return without_checks(env)

    def own_limit(self) -> int | None:
        limit = self.settings.kwargs.get("max_cycles")
        return stated_limit(self.env) if limit is None else int(limit)


def without_checks(env: Any) -> Any:
    """Without PettingZoo's checks of its callers, and without its looks at what agents see between their turns.

    The checks take a third of the time of mpe2's games; nobody reads what the looks bring, 7 % of the rest.
    """
    if isinstance(env, aec_to_parallel_wrapper):
        while type(env.aec_env) in _CHECKS:
            env.aec_env = env.aec_env.env
        env.aec_env.last = functools.partial(env.aec_env.last, observe=False)
    return env
