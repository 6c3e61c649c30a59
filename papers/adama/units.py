"""Predator-prey's units, which the paper does not give, by a rule that looks at no method's success.

The rule, written down before anything was run by it:

1. The prey's step is 1.5 times `v_step`. Actions fill a square, so that a predator's longest step is sqrt(2) `v_step`:
   the prey is faster in every direction ("4 slower agents learn to chase a faster rule-based prey").
2. `v_step` is 0.3 W. `rho` / W is the least of 0.2, 0.3, ... 0.8 with which predators that all run straight at the
   prey earn 1 per step or more, a random team at most half of what they earn.
3. W is the one of 1, 1.35, 2, 3, 4 and 6 with which D, mean over the first 100 updates of a trial at Table 1's fixed
   rates and over the seeds 101 to 103, is nearest to the paper's m = 50 (as a ratio). Seeds of results are others.

It chose W = 6 and rho = 0.5 W. Run in that world (README.md), fixed rates and AdaMa end below a random team: reward is
so rare that all actors stand at the border of their actions before the critic knows what an action does. A world in
which nothing is learned tells no methods apart, so `UNITS`, which the file has, keeps the rule's prey and goes back to
the size and reach of before the rule, with which fixed rates had been seen to learn. That was decided after seeing
results; besides it W = 1 and 2 with rho = 0.5 W, and rho = 0.7 W, were tried, one run each.

`python -m papers.adama.units` prints what the rule reads and what it chose.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from cohort.configuration.plan import Sources, make_plan
from cohort.envs.particles.predator_prey import PredatorPrey, PredatorPreySettings
from cohort.experiment import Experiment

PREY_SPEED, STEP = 1.5, 0.3
REACHES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)  # rho / W
CHASE, TIMES_RANDOM = 1.0, 2.0
SIZES = (1.0, 1.35, 2.0, 3.0, 4.0, 6.0)  # W
PAPER_M, UPDATES, SEEDS = 50.0, 100, (101, 102, 103)
GAMES, WORLD_SEED = 2000, 101


def units(size: float, reach: float) -> dict[str, float]:
    """The environment's keys for a world of half-side W = `size` with rho = `reach` W."""
    return {
        "world_size": size,
        "v_step": STEP * size,
        "rho": reach * size,
        "prey_speed": PREY_SPEED,
    }


UNITS = units(1.35, 0.8)


def random_team(scene: PredatorPrey.Scene, draws: torch.Generator) -> Tensor:
    """Actions [B, N, 2]."""
    return 2 * torch.rand(scene.agents.shape, generator=draws) - 1


def chasers(scene: PredatorPrey.Scene, draws: torch.Generator) -> Tensor:
    """As far towards the prey as a step leads, by its longer axis."""
    towards = scene.prey - scene.agents
    return towards / towards.abs().amax(dim=-1, keepdim=True).clamp_min(1e-9)


def reward_per_step(team: Callable[[PredatorPrey.Scene, torch.Generator], Tensor], reach: float) -> float:
    """What a team that learns nothing earns, mean over `GAMES` whole episodes."""
    given = Sources.read("maddpg_fixed_lr", "predator_prey", {}).merged()["env_args"]
    settings = PredatorPreySettings(**(given | units(1.0, reach)))
    env = PredatorPrey(settings, batch_size=GAMES, seed=WORLD_SEED)
    env.reset()
    draws, rewards = torch.Generator().manual_seed(WORLD_SEED), []
    for _ in range(settings.episode_limit):
        rewards.append(env.step(team(env.scene, draws)).reward.mean())
    return float(torch.stack(rewards).mean())


def contribution(size: float, reach: float, seed: int) -> float:
    """D over the first `UPDATES` updates at Table 1's rates."""
    fixed = Sources.read("maddpg_fixed_lr", "predator_prey", {}).merged()
    typed = {key: fixed[key] for key in ("critic_lr", "actor_lr_norm")}
    typed |= {"adapt_magnitude": False, "adapt_direction": False, "use_cuda": False, "seed": seed}
    plan = make_plan(Sources.read("adama", "predator_prey", typed | {"env_args": units(size, reach)}))
    trainer = Experiment(plan, lambda line: None).trainer
    while trainer.learner.updates < UPDATES:
        trainer.iterate()
    return trainer.averages.flush()["critic_contribution"]


def lines() -> Iterator[str]:
    """What the rule reads, and what it chose."""
    chosen = None
    yield "rho / W | random | straight chase"
    for reach in REACHES:
        random, chase = (reward_per_step(team, reach) for team in (random_team, chasers))
        yield f"{reach:g} | {random:.3f} | {chase:.3f}"
        if chosen is None and chase >= max(CHASE, TIMES_RANDOM * random):
            chosen = reach
    if chosen is None:
        yield "no rho will do"
        return
    found = {}
    yield f"rho / W = {chosen:g}"
    yield f"W | D over the first {UPDATES} updates, seeds {', '.join(map(str, SEEDS))}"
    for size in SIZES:
        each = [contribution(size, chosen, seed) for seed in SEEDS]
        yield f"{size:g} | {', '.join(f'{d:.3g}' for d in each)}"
        mean = sum(each) / len(each)
        if math.isfinite(mean) and mean > 0:
            found[size] = abs(math.log(mean / PAPER_M))
    best = min(found, key=found.__getitem__)
    yield f"W = {best:g}: {units(best, chosen)}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in lines():
        print(line, flush=True)
