"""Environments: each advances B games at once."""

from src.registry import Registry

# where the maps of an environment that has maps are described: name -> "module:function" for run.py --list
MAPS = {
    "matrix_games": "src.envs.matrix_games:describe_maps",
    "repeated_games": "src.envs.repeated_games:describe_maps",
    "sc2": "src.envs.sc2_sim.maps:describe_maps",
    "sc2_sim": "src.envs.sc2_sim.maps:describe_maps",
}

ENVS = Registry(
    "env",
    {
        "clustering": "src.envs.particles.clustering:Clustering",
        "cooperative_navigation": "src.envs.particles.cooperative_navigation:CooperativeNavigation",
        "going_together": "src.envs.particles.going_together:GoingTogether",
        "gymnasium": "src.envs.foreign.env:GymnasiumTeams",
        "halfcheetah_dir": "src.envs.halfcheetah.env:HalfCheetahDir",
        "mamujoco": "src.envs.foreign.env:MAMuJoCo",
        "matrix_games": "src.envs.matrix_games:MatrixGames",
        "pettingzoo": "src.envs.foreign.env:PettingZoo",
        "predator_prey": "src.envs.particles.predator_prey:PredatorPrey",
        "repeated_games": "src.envs.repeated_games:RepeatedGames",
        "sc2": "src.envs.sc2.env:StarCraft2",
        "sc2_sim": "src.envs.sc2_sim.env:SC2Sim",
    },
)
