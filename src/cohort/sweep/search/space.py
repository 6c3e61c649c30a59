"""What a search may choose, as it was typed, and the command lines of one trial."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cohort.configuration.run_settings import RunSettings
from cohort.configuration.task import TASK_ARGS
from cohort.configuration.updates import ENV_ARGS
from cohort.errors import UserError
from cohort.program import program_name
from cohort.sweep.expansion import CONFIG, ENV_CONFIG, RunWords, pairs, values
from cohort.sweep.search.parameters import Parameter, parameter_of

SEED = "seed"
# one value for all trials: they would not be comparable, or it changes nothing that is learned
_FRAME = {ENV_CONFIG, *(f"{ENV_ARGS}.{name}" for name in TASK_ARGS), *RunSettings.model_fields} - {SEED}


@dataclass(frozen=True)
class Space:
    """A search's words, taken apart.

    Attributes:
        config, env_config, typed: as they were typed, ranges and choices included.
        parameters: what is searched.
        seeds: of each trial; its value is the mean over them.
    """

    config: str
    env_config: str
    typed: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    seeds: tuple[str, ...]

    @classmethod
    def read(cls, config: str, env_config: str, typed: Sequence[str]) -> "Space":
        """Raises `UserError` when nothing is searched, or something that cannot be."""
        parameters: list[Parameter] = []
        seeds: tuple[str, ...] = ()
        words = [(key, text) for key, text in pairs(config, env_config, typed) if key]
        for key, text in words:
            if sum(key == other for other, _ in words) > 1:
                raise UserError(f"{key} is given twice.")
            if key == SEED:
                seeds = tuple(values(text, key))
            elif (found := parameter_of(key, text)) is not None:
                if key in _FRAME:
                    raise UserError(
                        f"{key}={text}: a search has one value of this: its trials would not be comparable. "
                        "Give one value; over several seeds, as seed=0..2, a trial's value is the mean."
                    )
                parameters.append(found)
        if not parameters:
            raise UserError(
                "nothing is searched: give a key a range or choices, as lr=0.0001..0.01..log or "
                "optimizer=rmsprop,adam. More: docs/sweeps.md"
            )
        return cls(config, env_config, tuple(typed), tuple(parameters), seeds)

    @property
    def runs_per_trial(self) -> int:
        return max(1, len(self.seeds))

    def runs(self, chosen: Mapping[str, str]) -> list[RunWords]:
        """The runs of the trial with these values of the parameters, one for each seed."""
        return [self._run({**chosen, SEED: seed}) for seed in self.seeds or ("",)]

    def command(self, chosen: Mapping[str, str]) -> str:
        """What to type for these values, over the seeds as they were typed."""
        return f"{program_name()} {shlex.join(self._run(chosen).words)}"

    def combinations(self) -> list[dict[str, str]]:
        """Values that must all be allowed: each parameter's probes, the others at their first."""
        first = {one.key: one.probes[0] for one in self.parameters}
        configs = next((one.probes for one in self.parameters if one.key == CONFIG), (self.config,))
        found = [
            {**first, one.key: probe, CONFIG: config}
            for config in configs
            for one in self.parameters
            for probe in one.probes
            if one.key != CONFIG or len(self.parameters) == 1
        ]
        searched = first.keys()
        return [{key: text for key, text in each.items() if key in searched} for each in found]

    def describe(self) -> str:
        """A line for each parameter."""
        width = max(len(one.key) for one in self.parameters)
        return "\n".join(f"{one.key:<{width}}  {one.describe()}" for one in self.parameters)

    def _run(self, chosen: Mapping[str, str]) -> RunWords:
        words = [
            (key, chosen.get(key) or text) if key else (key, text)
            for key, text in pairs(self.config, self.env_config, self.typed)
        ]
        typed = tuple(f"{key}={text}" if key else text for key, text in words[2:])
        varied = {one.key: chosen[one.key] for one in self.parameters}
        return RunWords(words[0][1], words[1][1], typed, varied)
