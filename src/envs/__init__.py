"""Environments: each advances B games at once."""

from src.registry import Registry

ENVS = Registry(
    "env",
    {
        "matrix_games": "src.envs.matrix_games:MatrixGames",
        "sc2_sim": "src.envs.sc2_sim.env:SC2Sim",
    },
)
