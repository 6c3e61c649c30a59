import itertools

import pytest
import torch

from cohort.learners.value.role_clusters import k_means, role_action_spaces
from cohort.modules.roles import Roles, RoleSpaces
from tests.builders import SPEC_3M, make_learner

SMAC = {"uncounted": [0, 1], "base": range(6), "always": [0]}


def groups(*members: list[int]) -> torch.Tensor:
    """Embeddings of actions in well separated groups, [A, 20], and which group each is of."""
    draw = torch.Generator().manual_seed(1)
    places = torch.randn(len(members), 20, generator=draw) * 10
    points = torch.empty(sum(map(len, members)), 20)
    for place, group in zip(places, members, strict=True):
        points[group] = place + 0.1 * torch.randn(len(group), 20, generator=draw)
    return points


def spaces(points, clusters, **actions):
    """The roles as lists of the actions they allow."""
    allowed = role_action_spaces(k_means(points, clusters), **(actions or SMAC))
    return [row.nonzero()[:, 0].tolist() for row in allowed]


class TestSpaces:
    def test_three_groups_of_smac_actions(self):
        points = groups([0, 1, 2, 3, 4, 5], [6, 7, 8], [9, 10])
        assert spaces(points, 3) == [[*range(6)], [*range(9)], [0, 9, 10]]

    def test_a_cluster_of_one_action_is_dropped(self):
        points = groups([0, 1, 2, 3, 4, 5], [6, 7, 8], [9, 10], [11])
        assert spaces(points, 4) == [[*range(6)], [*range(9)], [0, 9, 10]]

    def test_no_op_and_stop_do_not_count(self):
        """Of {0, 1, 2} one counts, of {1, 3, 4} two, of which stop stays one of its actions."""
        points = groups([0, 2], [1, 3, 4], [5, 6, 7, 8])
        assert spaces(points, 3) == [[0, 1, 3, 4], [*range(9)]] * 2

    def test_two_roles_are_doubled(self):
        points = groups([0, 1, 2, 3, 4, 5], [6, 7, 8])
        assert spaces(points, 2) == [[*range(6)], [*range(9)]] * 2

    def test_one_role_is_there_three_times(self):
        assert spaces(groups([0, 1, 2, 3, 4], [5]), 2, **(SMAC | {"base": range(5)})) == [[0, 1, 2, 3, 4]] * 3

    def test_where_no_cluster_is_a_role_everything_is_allowed(self):
        assert spaces(groups([0], [1], [2]), 3, uncounted=[], base=[], always=[]) == [[0, 1, 2]] * 3

    def test_elsewhere_clusters_are_roles_as_they_are(self):
        points = groups([0, 3], [1, 4, 5], [2, 6])
        assert spaces(points, 3, uncounted=[], base=[], always=[]) == [[0, 3], [1, 4, 5], [2, 6]]

    def test_a_role_is_represented_by_the_mean_of_its_actions(self):
        roles = Roles(most=5, n_actions=4, latent_dim=2)
        assert roles.exists.tolist() == [True, True, True, False, False]
        latents = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 5.0], [0.0, 9.0]])
        allowed = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 0], [0, 0, 0, 1]]).bool()
        roles.become(RoleSpaces(allowed, latents))
        expected = torch.tensor([[2.0, 1.0], [2.5, 7.0], [3.0, 7 / 3], [0.0, 9.0]])
        torch.testing.assert_close(roles.role_latents[:4], expected)
        assert roles.exists.tolist() == [True, True, True, True, False]
        assert torch.equal(roles.allowed[:4], allowed)


class TestKMeans:
    def inertia(self, points, labels):
        return sum(
            float((points[labels == each] - points[labels == each].mean(dim=0)).square().sum())
            for each in labels.unique()
        )

    @pytest.mark.parametrize("seed", range(5))
    def test_no_partition_is_better(self, seed):
        """Against all partitions of 8 points into at most 3 clusters."""
        points = torch.randn(8, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        every = (torch.tensor(each) for each in itertools.product(range(3), repeat=8))
        best = min(self.inertia(points, each) for each in every)
        assert self.inertia(points, k_means(points, 3)) == pytest.approx(best, rel=1e-9)

    def test_numbers_follow_the_actions_and_a_seed_repeats(self):
        points = groups([2, 3], [0, 5], [1, 4])
        assert k_means(points, 3).tolist() == [0, 1, 2, 2, 1, 0]
        assert torch.equal(k_means(points, 3, seed=4), k_means(points, 3))

    def test_as_many_points_as_clusters_and_fewer_distinct_ones(self):
        points = groups([0], [1], [2])
        assert k_means(points, 3).tolist() == [0, 1, 2]
        assert k_means(points[[0, 0, 1, 0]], 3).tolist() == [0, 0, 1, 0]
        assert k_means(torch.ones(4, 2), 2).tolist() == [0, 0, 0, 0]


def test_more_clusters_than_actions_are_refused():
    with pytest.raises(ValueError, match="n_role_clusters=5 is more than the 4 actions"):
        make_learner("rode", n_role_clusters=5)


@pytest.mark.parametrize("key", ["uncounted_actions", "base_actions", "always_allowed"])
def test_actions_that_there_are_not_are_refused(key):
    with pytest.raises(ValueError, match=f"{key} names 9, 12, and this environment's actions are 0 to 8"):
        make_learner("rode", SPEC_3M, **{key: [1, 9, 12]})
