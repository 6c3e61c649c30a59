"""Populations of teammates: what is loaded from a run, and how it is split."""

import pytest
import torch

from cohort.errors import UserError
from cohort.learners.meta.personas import SPLITS
from cohort.learners.meta.teammates import Teammates, load_teammates, split_teammates
from cohort.recording.checkpoints import save_atomically

PAPER = {"sizes": (226, 25, 25), "learning": (50, 300), "test": (475, 499)}


def teammates(count: int) -> Teammates:
    """Each is its own iteration's number."""
    number = torch.arange(count)
    return Teammates({"w": number.view(-1, 1).float()}, number, -number.double())


def test_the_papers_splits():
    """226 and 25 of iterations 50 to 300 at random, every one of 475 to 499 (appendix E.3)."""
    split = split_teammates(teammates(500), 1, **PAPER)
    assert tuple(split) == SPLITS
    learning = torch.cat([split["train"].iteration, split["validation"].iteration])
    assert learning.sort().values.tolist() == list(range(50, 301))
    assert split["validation"].iteration.max() - split["validation"].iteration.min() > 100
    assert split["test"].iteration.tolist() == list(range(475, 500))
    for each in split.values():
        assert torch.equal(each.params["w"][:, 0], each.iteration.float())
        assert torch.equal(each.returns, -each.iteration.double())


def test_a_seed_repeats_the_splits():
    one, again, other = (split_teammates(teammates(500), seed, **PAPER) for seed in (1, 1, 2))
    assert torch.equal(one["validation"].iteration, again["validation"].iteration)
    assert not torch.equal(one["validation"].iteration, other["validation"].iteration)


def test_fewer_can_be_asked_for_and_none_is_in_two_splits():
    split = split_teammates(teammates(20), 1, sizes=(3, 2, 2), learning=(0, 9), test=(10, 19))
    chosen = torch.cat([each.iteration for each in split.values()]).tolist()
    assert [len(each) for each in split.values()] == [3, 2, 2]
    assert len(set(chosen)) == 7
    assert max(chosen[:5]) <= 9 < min(chosen[5:])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"test": (475, 500)}, r"teammates_test_range=\[475,500\].*iterations 0 to 499"),
        ({"learning": (300, 50)}, r"teammates_range=\[300,50\]"),
        ({"sizes": (230, 25, 25)}, r"personas_train=230 and personas_validation=25 .* 251 iterations"),
        ({"sizes": (226, 25, 26)}, r"personas_test=26 .* 25 iterations"),
    ],
)
def test_what_is_not_there_is_named_with_the_key(change, told):
    with pytest.raises(ValueError, match=told):
        split_teammates(teammates(500), 1, **(PAPER | change))


def test_a_file_or_its_folder_is_loaded_and_nothing_else(tmp_path):
    file = tmp_path / "checkpoint.pt"
    save_atomically({"trainer": {"teammates": vars(teammates(3))}}, file)
    for path in (file, tmp_path):
        assert torch.equal(load_teammates(path).params["w"], teammates(3).params["w"])
    with pytest.raises(UserError, match="cheetah_teammates"):
        load_teammates(None)
    with pytest.raises(UserError, match="no such folder or file"):
        load_teammates(tmp_path / "elsewhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no checkpoint\.pt in it"):
        load_teammates(tmp_path / "empty")
    save_atomically({"trainer": {"learner": {}}}, file)
    with pytest.raises(UserError, match="trained no teammates"):
        load_teammates(tmp_path)
