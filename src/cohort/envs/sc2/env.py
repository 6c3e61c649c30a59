"""StarCraft II itself: B processes of the game, through oxwhirl's unmodified smac."""

import torch

from cohort.envs.sc2.installation import check_installation
from cohort.envs.sc2.settings import StarCraft2Settings
from cohort.envs.workers.env import WorkerEnv
from cohort.envs.workers.game import Limits, Recipe


class StarCraft2(WorkerEnv):
    """B battles of one SMAC map (arXiv:1902.04043) in B StarCraft II processes.

    Observations, states, available actions and rewards are smac's. A game that crashes or hangs spoils its own
    episode only, and begins anew in a new process.

    Departs from SMAC in: an episode that a crash cut off is marked as such, where smac reports a defeat; each
    process is launched with a seed of its own. A battle's randomness goes on from one episode to the next within a
    process, so that a resumed run plays other battles than the run that was not stopped.
    """

    Settings = StarCraft2Settings
    writes_replays = True

    def __init__(
        self,
        settings: StarCraft2Settings,
        *,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """Start B worker processes; the games are launched by the first `reset`.

        Raises:
            UserError: smac, StarCraft II or the map is not installed, or a worker cannot be started.
        """
        check_installation(settings)
        recipe = Recipe(
            factory="cohort.envs.sc2.game:StarCraft2Game",
            settings=settings,
            title="StarCraft II",
            environment={"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"},
            show_output=settings.debug,
        )
        limits = Limits(
            start=settings.launch_seconds, reset=settings.reset_seconds, step=settings.step_seconds
        )
        super().__init__(recipe, batch_size=batch_size, seed=seed, device=device, limits=limits)
        self.settings = settings
