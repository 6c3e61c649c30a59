"""Randomness by counting: a number depends on what it is for, never on who drew before.

Every draw is a hash of (seed, game, episode, step, unit). A battle therefore does not depend on how many
others run beside it, and nothing but counters has to be saved. Arithmetic is on 32-bit values held in int64,
which behaves alike on every device.
"""

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_STEP = 0x9E3779B1  # odd constants far apart, so that (step, unit) pairs do not meet
_UNIT = 0x85EBCA77


def mix(x: Tensor) -> Tensor:
    """Hash 32-bit values, kept in int64 of any shape ("lowbias32" of C. Wellons)."""
    x = (x ^ (x >> 16)).mul_(0x7FEB352D).bitwise_and_(_MASK)
    x = (x ^ (x >> 15)).mul_(0x846CA68B).bitwise_and_(_MASK)
    return x ^ (x >> 16)


def game_keys(seed: int, games: Tensor) -> Tensor:
    """Keys [B] of the streams of `games` [B] under one seed of up to 64 bits."""
    low = mix(torch.full_like(games, seed & _MASK))
    both = mix(low ^ ((seed >> 32) & _MASK))
    return mix((both + games * _UNIT) & _MASK)


def episode_keys(keys: Tensor, episodes: Tensor) -> Tensor:
    """Keys [B] of each game's current episode."""
    return mix((keys + episodes * _STEP) & _MASK)


def uniform(keys: Tensor, steps: Tensor, lanes: Tensor) -> Tensor:
    """Numbers in [0, 1) for every lane (a unit, or any counter below 2^31): [B], [B], [L] -> [B, L] float32."""
    counter = (keys + steps * _STEP).unsqueeze(1) + lanes * _UNIT
    return (mix(counter & _MASK) >> 8).float().mul_(2.0**-24)
