"""The probes that ask whether a map can be won: honest about chance, within SMAC's actions, and strong enough."""

import json

import pytest
import torch

from benchmarks import solvability
from benchmarks.solvability_model import Model, Worth
from benchmarks.solvability_reactive import Arena, Tuning, tune, win_rate
from benchmarks.solvability_rules import NAMES, RANGES, Rules, row
from benchmarks.solvability_search import LIBRARY, Effort, Search, play
from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.planes import HEALTH
from cohort.envs.sc2_sim.settings import SC2SimSettings
from tests.envs.sc2_sim import scripts
from tests.envs.sc2_sim.support import change

SMALL = Effort(plans=16, blocks=3, block=2, tail=2, rounds=2)
MAPS = ("3m", "3s5z", "6h_vs_8z", "MMM2", "corridor")


def battles(map_name: str = "3m", count: int = 1, seed: int = 0, **settings) -> SC2Sim:
    """Battles that all start alike."""
    env = SC2Sim(SC2SimSettings(map_name=map_name, reset_noise=0.0, **settings), count, seed)
    env.reset()
    return env


def under_way(env: SC2Sim, steps: int = 12) -> SC2Sim:
    for _ in range(steps):
        env.step(scripts.nearest(env))
    return env


@pytest.mark.parametrize("map_name", ["3m", "3s5z", "MMM2"])
def test_copies_with_the_same_chance_repeat_the_true_battles_step_by_step(map_name):
    true = under_way(battles(map_name, count=2))
    model = Model(true.settings, battles=2, copies=3, seed=7)
    model.follow(true, keys=true.games.keys.repeat_interleave(3))
    for _ in range(10):
        actions = scripts.nearest(true)
        true.step(actions)
        model.step(actions.repeat_interleave(3, 0))
        for name, of_true in true.games._asdict().items():
            copied = model.env.games._asdict()[name]
            dim = 1 if name == "units" else 0
            assert torch.equal(copied, of_true.repeat_interleave(3, dim)), name
    assert (true.games.units[HEALTH] < true.games.units[HEALTH].amax()).any()


def test_search_draws_other_chances_than_the_true_battles_and_leaves_them_alone():
    true = under_way(battles(count=2), steps=8)
    before = true.state_dict()
    search = Search(true.settings, 2, SMALL, seed=1)
    seen = []
    follow = search.model.follow
    search.model.follow = lambda env: (follow(env), seen.append(search.model.env.games.keys.clone()))
    search.decide(true)
    assert len(seen) == SMALL.rounds + 1
    keys = torch.cat((*seen, before["keys"]))
    assert len(keys.unique()) == len(keys)
    after = true.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in true.games._fields)


def test_the_true_battles_chance_does_not_change_the_plans():
    """Two battles that differ in nothing but what chance will bring are searched alike."""
    found = []
    for seed in (3, 4):
        env = battles(seed=seed)
        search = Search(env.settings, 1, SMALL, seed=9)
        found.append(search.decide(env))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("map_name", MAPS)
def test_every_rule_acts_by_available_actions(map_name):
    env = battles(map_name, count=64)
    rules, draw = Rules(env), torch.Generator().manual_seed(2)
    low, high = torch.tensor(list(RANGES.values())).T
    library = torch.tensor(list(LIBRARY.values()))
    used = torch.zeros(env.spec.n_actions, dtype=torch.bool)
    for _ in range(25):
        rows = torch.lerp(low, high, torch.rand(64, env.spec.n_agents, len(NAMES), generator=draw))
        rows[:32] = library[torch.randint(len(library), (32, env.spec.n_agents), generator=draw)]
        view = rules.view(env)
        actions = rules.act(view, rows, rules.team_target(view))
        assert env.observation.available_actions.gather(2, actions.unsqueeze(2)).all()
        used[actions.unique()] = True
        env.step(actions)
    assert used[1:6].all()  # stop and the four moves
    assert used[6:].any()


def test_rules_do_what_their_numbers_say():
    env = battles("3m")
    places = torch.tensor([[[10.0, 15], [10, 16], [10, 17], [14, 15], [13, 16], [14, 17]]])
    health = torch.tensor([45.0, 45, 45, 5, 45, 30])
    change(env, position=places, health=health)
    assert env.observation.available_actions[0, :, 6:].all()
    rules = Rules(env)
    view = rules.view(env)

    def act(**numbers: float) -> torch.Tensor:
        rows = torch.tensor(row(**numbers)).expand(1, 3, -1)
        return rules.act(view, rows, torch.tensor([2]))[0]

    assert act(health=1).tolist() == [6, 6, 6]
    assert act(distance=1).tolist() == [7, 7, 7]
    assert act(focus=9).tolist() == [8, 8, 8]
    assert act(free=-99, north=1).tolist() == [2, 2, 2]
    assert act(free=-99, away=1).tolist() == [5, 5, 5]  # west, for the enemy stands in the east
    assert act(free=-99, near=2, north=1, distance=1).tolist() == [7, 7, 7]  # nobody is near enough to walk
    assert act(free=5, north=1, distance=1).tolist() == [7, 7, 7]  # the weapons are loaded
    with pytest.raises(ValueError, match="speed"):
        row(speed=1)


def test_worth_puts_wins_over_everything_and_strength_over_health():
    env = battles("3m", count=5)
    health = torch.full((5, 6), 45.0)
    health[1, 3] = 15  # an enemy is hurt
    health[2, 3:] = torch.tensor([0.0, 45, 60])  # as much is left of them, but one gun is silent
    health[3, 3:] = torch.tensor([0.0, 0, 1])
    health[4, 3:] = 0
    units = env.games.units.clone()
    units[HEALTH] = health
    won = torch.tensor([False, False, False, False, True])
    worth = Worth(env)(env.games._replace(units=units, terminated=won), won)
    assert worth[0] == 0
    assert 0 < worth[1] < worth[2] < worth[3] < worth[4]
    lost = torch.ones(5, dtype=torch.bool)
    assert (Worth(env)(env.games._replace(units=units, terminated=lost), ~lost)[:4] < -0.5).all()


def test_search_wins_battles_that_the_nearest_script_loses():
    settings = SC2SimSettings(map_name="2m_vs_1z", reset_noise=0.0)
    scripted = scripts.play(SC2Sim(settings, 4, seed=5), scripts.nearest)
    assert scripted["battle_won"].sum() <= 1
    effort = Effort(plans=24, blocks=2, block=3, tail=3, rounds=1)
    outcome = play(SC2Sim(settings, 4, seed=5), Search(settings, 4, effort, seed=105), lambda env: None)
    assert outcome["battle_won"].sum() >= 3
    assert outcome["return"].mean() > scripted["return"].mean() + 3


def test_tuned_rules_win_fresh_battles():
    settings = SC2SimSettings(map_name="3m")
    rows = tune(settings, Tuning(candidates=16, games=4, rounds=3, final_games=16), 3, lambda *progress: None)
    assert rows.shape == (1, len(NAMES))
    assert win_rate(settings, rows, 32, seed=99) > 0.7
    idle = torch.tensor([row(engage=0, patience=999, hold=1, free=-99, near=0)])
    worth, won = Arena(settings, 8, seed=99).play(idle.expand(8, -1, -1))
    assert not won.any()
    assert (worth < 0).all()


def test_what_is_found_is_written_down(tmp_path, monkeypatch):
    out = tmp_path / "found" / "3m.jsonl"
    words = "--map 3m --battles 2 --plans 16 --blocks 1 --block 8 --tail 0 --rounds 1"
    words += " --rule-candidates 12 --rule-rounds 2 --rule-games 2 --rule-final-games 2"
    typed = ["solvability", *words.split(), "--set", "enemy_acquire_range=5.0", "--out", str(out)]
    monkeypatch.setattr("sys.argv", typed)
    monkeypatch.setattr(solvability, "prepare_process", lambda threads: None)
    monkeypatch.setattr(solvability, "_TRIALS", 8)
    solvability.main()
    rule, search = (json.loads(line) for line in out.read_text().splitlines())
    assert rule["settings"] == search["settings"] == {"enemy_acquire_range": 5.0}
    assert rule["probe"] == "rule"
    assert 0 <= rule["win_rate"] <= 1
    assert rule["rule"][0].keys() == set(NAMES)
    assert search["with_rule"]
    assert search["won"] == sum(search["battle_won"])
    assert search["effort"]["plans"] == 16


def test_effort_says_what_it_takes():
    with pytest.raises(ValueError, match="multiple of 8"):
        Effort(plans=20)
