"""Scripted teams. They see the units themselves, not the observation, and use SMAC's actions.

python -m tests.envs.sc2_sim.scripts        # the table of docs/sc2_sim.md
"""

from collections.abc import Callable

import torch
from torch import Tensor

from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.maps import all_maps
from cohort.envs.sc2_sim.planes import COOLDOWN, FIRST_ATTACK, HEALTH, NORTH, WEST
from cohort.envs.sc2_sim.settings import SC2SimSettings

from .support import stop

Script = Callable[[SC2Sim], Tensor]

_DIRECTIONS = torch.tensor([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]])  # north, south, east, west


def random_script(seed: int) -> Script:
    """Uniform over the available actions."""
    generator = torch.Generator().manual_seed(seed)

    def act(env: SC2Sim) -> Tensor:
        available = env.observation.available_actions
        flat = available.flatten(0, 1).float()
        return torch.multinomial(flat, 1, generator=generator).view(available.shape[:2])

    return act


def nearest(env: SC2Sim) -> Tensor:
    """Attack the nearest enemy in range, else walk to the nearest."""
    gap = _gaps(env)
    closest = gap.norm(dim=0).argmin(2)
    way = gap.gather(3, closest.expand(2, -1, -1).unsqueeze(3)).squeeze(3).nan_to_num(0, 0, 0)
    progress = torch.einsum("cbn,ac->bna", way, _DIRECTIONS)
    return _attack_or(env, gap.norm(dim=0), _walk(env, progress))


def focus(env: SC2Sim) -> Tensor:
    """Wait, and shoot whoever in range is weakest."""
    health = env.games.units[HEALTH, :, env.spec.n_agents :]
    return _attack_or(env, health.unsqueeze(1) + 1e-3 * _gaps(env).norm(dim=0), stop(env))


def in_order(*orders: list[int]) -> Script:
    """Whatever is to be seen, each agent takes the first available action of its order; no-op where there is none."""

    def act(env: SC2Sim) -> Tensor:
        available = env.observation.available_actions
        rank = torch.full((len(orders), available.shape[2]), torch.inf)
        for agent, order in enumerate(orders):
            rank[agent, order] = torch.arange(len(order), dtype=rank.dtype)
        return torch.where(available, rank, torch.inf).argmin(2)

    return act


def kite(threat: float, lookahead: float) -> Script:
    """Shoot when the weapon is ready; else, with an enemy nearer than `threat`, go where enemies are far."""

    def act(env: SC2Sim) -> Tensor:
        units, n = env.games.units, env.spec.n_agents
        spots = units[:2, :, :n].unsqueeze(3) + lookahead * _DIRECTIONS.T.view(2, 1, 1, 4)
        spots = spots.clamp(-13.9, 13.9).unsqueeze(
            4
        )  # beyond the walls of the open maps there is nowhere to go
        danger = (1 / (units[:2, :, n:].view(2, -1, 1, 1, units.shape[2] - n) - spots).norm(dim=0) ** 2).sum(
            3
        )
        loaded = units[COOLDOWN, :, :n] <= 0
        threatened = _gaps(env).norm(dim=0).amin(2) < threat
        return torch.where(threatened & ~loaded, _walk(env, -danger), focus(env))

    return act


def _gaps(env: SC2Sim) -> Tensor:
    """Vectors [2, B, N, E] from allies to living enemies, infinite to dead ones."""
    units, n = env.games.units, env.spec.n_agents
    gap = units[:2, :, n:].unsqueeze(2) - units[:2, :, :n].unsqueeze(3)
    return torch.where(units[HEALTH, :, n:].unsqueeze(1) > 0, gap, torch.inf)


def _walk(env: SC2Sim, merit: Tensor) -> Tensor:
    """The available move [B, N] of most `merit` [B, N, 4]."""
    moves = env.observation.available_actions[:, :, NORTH : WEST + 1]
    best = torch.where(moves, merit, -torch.inf).argmax(2)
    return torch.where(moves.any(2), NORTH + best, stop(env))


def _attack_or(env: SC2Sim, cost: Tensor, otherwise: Tensor) -> Tensor:
    """Attack the available enemy of least `cost` [B, N, E], else act `otherwise` [B, N]."""
    attacks = env.observation.available_actions[:, :, FIRST_ATTACK:]
    best = torch.where(attacks, cost, torch.inf).argmin(2)
    return torch.where(attacks.any(2), FIRST_ATTACK + best, otherwise)


def play(env: SC2Sim, script: Script) -> dict[str, Tensor]:
    """One episode of every game: returns [B], lengths [B] and the final outcomes [B]."""
    env.reset()
    total, length = torch.zeros(env.batch_size), torch.zeros(env.batch_size)
    for _ in range(env.spec.episode_limit):
        going = ~(env.games.terminated | env.games.truncated)
        transition = env.step(script(env))
        total += transition.reward
        length += going
        if bool((transition.terminated | transition.truncated).all()):
            break
    return {
        "return": total,
        "length": length,
        **{name: value.float() for name, value in transition.info.items()},
    }


def main() -> None:
    """Print win rate and mean return of each script on each map, over 256 battles with the default starts."""
    torch.set_num_threads(1)
    scripts = {"random": random_script(3), "nearest": nearest, "focus": focus, "kite": kite(4, 3)}
    print(f"| map | {' | '.join(scripts)} |\n| --- |{' --- |' * len(scripts)}")
    for name in all_maps():
        cells = []
        for script in scripts.values():
            result = play(SC2Sim(SC2SimSettings(map_name=name), 256, seed=4), script)
            cells.append(f"{result['battle_won'].mean():.2f} ({result['return'].mean():.1f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
