"""A PettingZoo environment inside its worker process. The only module that imports one."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

from pettingzoo import AECEnv
from pettingzoo.utils import wrappers
from pettingzoo.utils.conversions import aec_to_parallel, aec_to_parallel_wrapper

from cohort.envs.foreign.parallel import ParallelGame
from cohort.envs.foreign.settings import PettingZooSettings
from cohort.envs.foreign.team import stated_limit
from cohort.errors import UserError

_FUNCTIONS = ("parallel_env", "env")  # where the key names none
_CHECKS = (wrappers.OrderEnforcingWrapper, wrappers.AssertOutOfBoundsWrapper)


class PettingZooGame(ParallelGame):
    """Any environment with PettingZoo's parallel interface, or that PettingZoo can convert to it."""

    def __init__(self, settings: PettingZooSettings) -> None:
        super().__init__(
            settings,
            common_reward=settings.common_reward,
            scalarisation=settings.reward_scalarisation,
            pictures=settings,
        )

    def open_env(self, render_mode: str | None) -> Any:
        shown = {"render_mode": render_mode} if render_mode else {}
        env = self._function()(**self.settings.kwargs, **shown)
        return without_checks(self._at_the_same_time(env) if isinstance(env, AECEnv) else env)

    def _function(self) -> Callable[..., Any]:
        """What makes the environment."""
        name, _, function = self.settings.key.partition(":")
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:  # itself, or what it needs
            raise UserError(f"env_args.key = {self.settings.key!r}: {error}") from error
        for each in (function,) if function else _FUNCTIONS:
            if hasattr(module, each):
                return getattr(module, each)
        raise UserError(
            f"env_args.key = {self.settings.key!r}: the module {name} has no function {function or _FUNCTIONS[0]}; "
            "name another one: env_args.key=package.module:function"
        )

    def _at_the_same_time(self, env: AECEnv) -> Any:
        """PettingZoo's own conversion, which is valid where nobody sees anything new before all have acted."""
        if not env.metadata.get("is_parallelizable", False):
            raise UserError(
                f"env_args.key = {self.settings.key!r}: the agents of {env} take turns, and its metadata does not say "
                "is_parallelizable, so that they cannot act at the same time"
            )
        return aec_to_parallel(env)

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
