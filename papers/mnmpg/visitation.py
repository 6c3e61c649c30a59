"""Which states a run's greedy policy visits at several stages of training, and how far they lie apart (figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from cohort.analysis.folders import FolderRun
from cohort.analysis.runs import Run
from cohort.components.episodes import Episodes
from cohort.envs.base import EnvSpec
from cohort.envs.smac_settings import SmacSettings
from cohort.errors import UserError
from cohort.policy import load_policy
from cohort.recording.models import model_steps
from papers.evidence import Reading

EPISODES = 32  # of each policy (section 4.2)
GAMES = 8  # side by side
STAGES = 3
STATES = 1500  # at most, of each run and stage
GRID = 100  # places along an axis
PERPLEXITY = 30
SEED = 0


@dataclass(frozen=True)
class Visited:
    """The states of one policy's greedy episodes.

    Attributes:
        label: the method.
        step: environment steps that it was trained for.
        states: [n, S].
    """

    label: str
    step: int
    states: np.ndarray


def stages(run: Run) -> list[int]:
    """The steps of up to three saved models of a run: the first after exploration has come to its end, the middle one
    and the last; [] where none is kept."""
    if not isinstance(run, FolderRun):
        return []
    explored = run.config["epsilon_anneal_time"]
    steps = [step for step in model_steps(run.folder.root) if step >= explored]
    places = np.linspace(0, len(steps) - 1, min(STAGES, len(steps))).round().astype(int)
    return [steps[place] for place in places]


def visited_states(label: str, run: Run, step: int) -> Visited:
    """What the model of `run` at `step` visits."""
    return Visited(label, step, _states(run.place, step))


@cache  # claims read a run more than once
def _states(place: str, step: int) -> np.ndarray:
    policy = load_policy(place, step)
    env = policy.make_env(GAMES, SEED)
    try:
        episodes = policy.play(env, EPISODES)
    finally:
        getattr(env, "close", lambda: None)()
    seen = without_last_actions(moments(episodes), env.spec, policy.plan["env"].settings).numpy()
    draw = np.random.default_rng(SEED)
    return seen if len(seen) <= STATES else seen[draw.permutation(len(seen))[:STATES]]


def moments(episodes: Episodes) -> torch.Tensor:
    """The states of all real moments: [P, S]."""
    time = torch.arange(episodes.state.shape[1])
    return episodes.state[time <= episodes.length[:, None]]


def without_last_actions(states: torch.Tensor, spec: EnvSpec, settings: SmacSettings) -> torch.Tensor:
    """States [P, S] without the block of last actions: what is visited, not what was just done."""
    if not settings.state_last_action or settings.obs_instead_of_state:
        return states
    end = states.shape[1] - settings.state_timestep_number
    return torch.cat([states[:, : end - spec.n_agents * spec.n_actions], states[:, end:]], dim=1)


def mean_distance(states: np.ndarray) -> float:
    """The mean Euclidean distance of two of the states, each pair once: [n, S] -> scalar."""
    numbers = torch.as_tensor(states, dtype=torch.float64)
    return float(torch.pdist(numbers).mean())


def distance_at(stage: int) -> Reading:
    """The mean distance at a run's first (0) or last (-1) stage, for claims; None where no model is kept."""

    def read(run: Run, until: float) -> float | None:
        steps = stages(run)
        return mean_distance(visited_states("", run, steps[stage]).states) if steps else None

    return read


def narrowing(run: Run, until: float) -> float | None:
    """By how much the mean distance falls from the first to the last stage; None with fewer than two."""
    steps = stages(run)
    if len(steps) < 2:
        return None
    first, last = (mean_distance(visited_states("", run, steps[place]).states) for place in (0, -1))
    return first - last


def embedded(every: Sequence[Visited]) -> list[np.ndarray]:
    """The states of all in one plane, so that places can be compared: [n, 2] each.

    t-SNE from a PCA, with a fixed seed; the paper gives no settings.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise UserError(
            "this needs scikit-learn: pip install -r requirements/papers.txt (from an installed package: "
            "pip install 'cohort[papers]')"
        ) from error
    pooled = np.concatenate([each.states for each in every])
    perplexity = min(PERPLEXITY, (len(pooled) - 1) / 3)
    plane = TSNE(perplexity=perplexity, init="pca", random_state=SEED).fit_transform(pooled)
    ends = np.cumsum([len(each.states) for each in every])
    return np.split(plane, ends[:-1])


@dataclass(frozen=True)
class Density:
    """A kernel density estimate on a grid.

    Attributes:
        x, y: [G] places.
        z: [G, G] densities, of integral 1 over the grid.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    @property
    def entropy(self) -> float:
        """- integral of f log f, in nats."""
        cell = (self.x[1] - self.x[0]) * (self.y[1] - self.y[0])
        positive = self.z[self.z > 0]
        return float(-(positive * np.log(positive)).sum() * cell)


def densities(planes: Sequence[np.ndarray]) -> list[Density]:
    """Gaussian kernel density estimates (Scott's bandwidth) of several clouds [n, 2], all on one grid."""
    from scipy.stats import gaussian_kde

    pooled = np.concatenate(planes)
    low, high = pooled.min(axis=0), pooled.max(axis=0)
    margin = 0.1 * (high - low)
    x, y = (np.linspace(low[i] - margin[i], high[i] + margin[i], GRID) for i in (0, 1))
    cell = (x[1] - x[0]) * (y[1] - y[0])
    places = np.stack([each.ravel() for each in np.meshgrid(x, y)])
    found = []
    for plane in planes:
        z = gaussian_kde(plane.T, bw_method="scott")(places).reshape(GRID, GRID)
        found.append(Density(x, y, z / (z.sum() * cell)))
    return found
