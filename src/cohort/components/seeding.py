"""Random streams: one seed, many independent generators with names."""

import hashlib

import torch


def derive_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed for one purpose, unrelated to every other purpose's, the same on every machine."""
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for one purpose; its state travels in the owner's `state_dict`."""
    return torch.Generator(device).manual_seed(derive_seed(seed, purpose))
