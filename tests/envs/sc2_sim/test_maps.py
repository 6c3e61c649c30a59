"""Map facts and the sizes SMAC gives them."""

import pytest

from cohort.envs.sc2_sim.layout import env_spec
from cohort.envs.sc2_sim.maps import all_maps, check_map_name, describe_maps
from cohort.envs.sc2_sim.settings import SC2SimSettings

from .support import MAPS, make

# map: agents, enemies, limit, actions, obs, state - from instances of the smac package.
SIZES = {
    "3m": (3, 3, 60, 9, 30, 48),
    "8m": (8, 8, 120, 14, 80, 168),
    "25m": (25, 25, 150, 31, 250, 950),
    "5m_vs_6m": (5, 6, 70, 12, 55, 98),
    "8m_vs_9m": (8, 9, 120, 15, 85, 179),
    "10m_vs_11m": (10, 11, 150, 17, 105, 243),
    "27m_vs_30m": (27, 30, 180, 36, 285, 1170),
    "MMM": (10, 10, 150, 16, 160, 290),
    "MMM2": (10, 12, 180, 18, 176, 322),
    "2s3z": (5, 5, 120, 11, 80, 120),
    "3s5z": (8, 8, 150, 14, 128, 216),
    "3s5z_vs_3s6z": (8, 9, 170, 15, 136, 230),
    "3s_vs_3z": (3, 3, 150, 9, 36, 54),
    "3s_vs_4z": (3, 4, 200, 10, 42, 61),
    "3s_vs_5z": (3, 5, 250, 11, 48, 68),
    "1c3s5z": (9, 9, 180, 15, 162, 270),
    "2m_vs_1z": (2, 1, 150, 7, 16, 26),
    "corridor": (6, 24, 400, 30, 156, 282),
    "6h_vs_8z": (6, 8, 150, 14, 78, 140),
    "2s_vs_1sc": (2, 1, 300, 7, 17, 27),
    "so_many_baneling": (7, 32, 100, 38, 202, 397),
    "bane_vs_bane": (24, 24, 200, 30, 336, 984),
    "2c_vs_64zg": (2, 64, 400, 70, 332, 342),
}


def test_sizes_of_all_maps_are_smacs():
    measured = {}
    for name, facts in all_maps().items():
        spec = env_spec(facts, SC2SimSettings())
        sizes = (spec.n_actions, spec.obs_dim, spec.state_dim)
        measured[name] = (spec.n_agents, facts.n_enemies, spec.episode_limit, *sizes)
    assert measured == SIZES


@pytest.mark.parametrize(
    ("option", "obs", "state"),
    [
        ({"obs_all_health": False}, 80 - 5 * 2 - 4 * 2, 120),
        ({"obs_own_health": False}, 80, 120),  # SMAC shows it whenever it shows all health
        ({"obs_own_health": False, "obs_all_health": False}, 80 - 5 * 2 - 4 * 2 - 2, 120),
        ({"obs_last_action": True}, 80 + 4 * 11, 120),
        ({"obs_pathing_grid": True}, 80 + 8, 120),
        ({"obs_terrain_height": True}, 80 + 9, 120),
        ({"obs_timestep_number": True}, 80 + 1, 120),
        ({"obs_instead_of_state": True}, 80, 5 * 80),
        ({"state_last_action": False}, 80, 65),
        ({"state_timestep_number": True}, 80, 121),
    ],
)
def test_options_change_sizes_as_in_smac_and_the_tensors_follow(option, obs, state):
    env = make("2s3z", **option)
    assert (env.spec.obs_dim, env.spec.state_dim) == (obs, state)
    seen = env.step(env.observation.available_actions.long().argmax(2)).observation
    assert seen.obs.shape == (1, 5, obs)
    assert seen.state.shape == (1, state)


@pytest.mark.parametrize("name", MAPS)
def test_every_map_can_be_built_and_stepped(name):
    env = make(name, batch_size=2)
    spec = env.spec
    transition = env.step(env.observation.available_actions.long().argmax(2))
    assert transition.observation.obs.shape == (2, spec.n_agents, spec.obs_dim)
    assert transition.observation.state.shape == (2, spec.state_dim)
    assert transition.observation.available_actions.shape == (2, spec.n_agents, spec.n_actions)
    assert set(transition.info) == set(spec.info_keys)


def test_a_misspelt_map_is_answered_with_the_nearest_name():
    with pytest.raises(ValueError, match="Did you mean '8m_vs_9m'"):
        check_map_name("8m_v_9m")


def test_every_map_is_described_by_one_sentence():
    described = describe_maps()
    assert described.keys() == SIZES.keys()
    assert described["3m"] == "3 marines against 3 marines, at most 60 steps."
    assert described["MMM"].startswith("7 marines, 2 marauders and 1 medivac against")
    assert described["corridor"] == "6 zealots against 24 zerglings, at most 400 steps."
    assert described["2c_vs_64zg"] == "2 colossi against 64 zerglings, at most 400 steps."
    assert described["2s_vs_1sc"] == "2 stalkers against 1 spine crawler, at most 300 steps."
