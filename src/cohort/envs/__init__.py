"""Environments: each advances B games at once."""

from cohort.registry import Registry

# where the maps of an environment that has maps are described: name -> "module:function" for run.py --list
MAPS = {
    "matrix_games": "cohort.envs.payoffs:describe_matrix_games",
    "repeated_games": "cohort.envs.payoffs:describe_repeated_games",
    "sc2": "cohort.envs.sc2_sim.maps:describe_maps",
    "sc2_sim": "cohort.envs.sc2_sim.maps:describe_maps",
    "smacv2_sim": "cohort.envs.smacv2_sim.tasks:describe_tasks",
}

ENVS = Registry(
    "env",
    {
        "clustering": "cohort.envs.particles.clustering:Clustering",
        "continuous_matrix_game": "cohort.envs.continuous_matrix_game:ContinuousMatrixGame",
        "cooperative_navigation": "cohort.envs.particles.cooperative_navigation:CooperativeNavigation",
        "going_together": "cohort.envs.particles.going_together:GoingTogether",
        "gymnasium": "cohort.envs.foreign.env:GymnasiumTeams",
        "h_predator_prey": "cohort.envs.particles.h_predator_prey:HPredatorPrey",
        "halfcheetah_dir": "cohort.envs.halfcheetah.env:HalfCheetahDir",
        "mamujoco": "cohort.envs.foreign.env:MAMuJoCo",
        "matrix_games": "cohort.envs.matrix_games:MatrixGames",
        "multiwalker": "cohort.envs.foreign.env:MultiWalker",
        "pettingzoo": "cohort.envs.foreign.env:PettingZoo",
        "predator_prey": "cohort.envs.particles.predator_prey:PredatorPrey",
        "pursuit": "cohort.envs.pursuit.env:Pursuit",
        "repeated_games": "cohort.envs.repeated_games:RepeatedGames",
        "pymarl": "cohort.envs.foreign.env:Pymarl",
        "rover_tower": "cohort.envs.particles.rover_tower:RoverTower",
        "sc2": "cohort.envs.sc2.env:StarCraft2",
        "sc2_sim": "cohort.envs.sc2_sim.env:SC2Sim",
        "smacv2_sim": "cohort.envs.smacv2_sim.env:SMACv2Sim",
        "spread": "cohort.envs.particles.spread:Spread",
        "vmas": "cohort.envs.vmas.env:Vmas",
    },
)
