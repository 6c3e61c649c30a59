"""Who sees whom: SMACv2's own loop over agents and enemies, written out, against `Eyes`."""

import pytest
import torch

from cohort.envs.sc2_sim.noise import uniform
from cohort.envs.sc2_sim.planes import HEALTH
from cohort.envs.smacv2_sim.env import SMACv2Sim
from cohort.envs.smacv2_sim.settings import SMACv2SimSettings
from cohort.envs.smacv2_sim.tasks import race_of


class SlowEyes:
    """smacv2's bookkeeping (`enemy_tags`, `obs_enemies`) for one game, with its names."""

    def __init__(self, env: SMACv2Sim, game: int) -> None:
        self.env, self.game, self.n = env, game, env.spec.n_agents
        self.e = env.facts.n_enemies
        self.enemy_tags = [None] * self.e
        self.fell = [None] * self.e
        kinds = race_of(env.settings.map_name).kinds
        drawn = env.spawner.kinds(env.games.keys)[game].tolist()
        self.sight = [kinds[kind].sight for kind in drawn[: self.n]]

    def look(self) -> list[list[int]]:
        """[N][E] 1 where an agent is shown an enemy."""
        games = self.env.games
        lanes = self.env.rules(games.keys).eyes.lanes
        place = games.units[:2, self.game].T.double().tolist()
        health = games.units[HEALTH, self.game].tolist()
        for e in range(self.e):
            if health[self.n + e] > 0:
                self.fell[e] = place[self.n + e]
        turn = uniform(games.keys, games.t, lanes)[self.game].tolist()
        shown = [[0] * self.e for _ in range(self.n)]
        for agent in sorted(range(self.n), key=turn.__getitem__):
            if health[agent] <= 0:
                continue
            for e in range(self.e):
                (x, y), (ex, ey) = place[agent], self.fell[e]
                visible = ((x - ex) ** 2 + (y - ey) ** 2) ** 0.5 < self.sight[agent]
                if visible and self.enemy_tags[e] is None:
                    self.enemy_tags[e] = agent
                if visible and health[self.n + e] > 0:
                    shown[agent][e] = 1
                if self.enemy_tags[e] is None:
                    shown[agent] = [0] * self.e
        return shown

    def bury(self) -> None:
        """After a step."""
        health = self.env.games.units[HEALTH, self.game].tolist()
        for e, finder in enumerate(self.enemy_tags):
            if health[self.n + e] <= 0 or (finder is not None and health[finder] <= 0):
                self.enemy_tags[e] = None


@pytest.mark.parametrize("task", ["terran_5_vs_5", "zerg_10_vs_11"])
def test_enemies_are_shown_as_smacv2s_loop_shows_them(task):
    games = 4
    env = SMACv2Sim(SMACv2SimSettings(map_name=task), games, seed=4)
    seen = env.reset()
    slow = [SlowEyes(env, game) for game in range(games)]
    for eyes in slow:
        eyes.look()  # smacv2's reset looks once, its caller again
    width = 4 + 1 + 3
    draw, hidden = torch.Generator().manual_seed(1), 0
    for _ in range(40):
        blocks = seen.obs[:, :, 4 : 4 + width * env.facts.n_enemies].unflatten(2, (-1, width))
        for game, eyes in enumerate(slow):
            expected = eyes.look()
            assert (blocks[game, :, :, 1] > 0).int().tolist() == expected
            sights = env.games.units[:2, game]
            gap = (sights[:, : eyes.n].unsqueeze(2) - sights[:, eyes.n :].unsqueeze(1)).norm(dim=0)
            hidden += int((gap < torch.tensor(eyes.sight).unsqueeze(1)).sum()) - sum(map(sum, expected))
        actions = (seen.available_actions * torch.rand(seen.available_actions.shape, generator=draw)).argmax(
            2
        )
        transition = env.step(actions)
        for eyes in slow:
            eyes.bury()
        if transition.terminated.any():
            break
        seen = transition.observation
    assert hidden > 0  # otherwise the quirk was not tried


def test_without_the_quirk_everybody_in_sight_is_shown():
    env = SMACv2Sim(SMACv2SimSettings(map_name="terran_5_vs_5", unseen_hide_others=False), 16, seed=4)
    seen, n = env.reset(), env.spec.n_agents
    place = env.games.units[:2]
    gap = (place[:, :, :n].unsqueeze(3) - place[:, :, n:].unsqueeze(2)).norm(dim=0)
    sight = torch.tensor([9.0, 10.0, 11.0])[env.spawner.kinds(env.games.keys)[:, :n]]
    shown = seen.obs[:, :, 4:44].unflatten(2, (5, 8))[..., 1] > 0
    assert torch.equal(shown, gap < sight.unsqueeze(2))


@pytest.mark.parametrize(
    ("own", "sight", "shoot"), [(True, [10, 9, 10], [6, 2, 7]), (False, [9] * 3, [6] * 3)]
)
def test_each_type_has_its_ranges(own, sight, shoot):
    env = SMACv2Sim(SMACv2SimSettings(map_name="protoss_5_vs_5", use_unit_ranges=own), 8, seed=1)
    env.reset()
    kinds = env.spawner.kinds(env.games.keys)[:, :5]
    observer = env.rules(env.games.keys).eyes.observer
    for asked, got in ((sight, observer.sight2), (shoot, observer.shoot2)):
        table = torch.tensor(asked, dtype=torch.float32)[kinds] ** 2
        torch.testing.assert_close(
            torch.as_tensor(got, dtype=torch.float32).expand(8, 5, 1).squeeze(2), table
        )


def test_agents_see_where_they_are():
    env = SMACv2Sim(SMACv2SimSettings(map_name="zerg_5_vs_5"), 4, seed=1)
    seen = env.reset()
    own = seen.obs[:, :, -6:]  # health, x, y, type
    torch.testing.assert_close(own[..., 1:3], env.games.units[:2, :, :5].permute(1, 2, 0) / 32 + 0.5)
    kinds = env.spawner.kinds(env.games.keys)[:, :5]
    assert torch.equal(own[..., 3:].argmax(2), kinds)
