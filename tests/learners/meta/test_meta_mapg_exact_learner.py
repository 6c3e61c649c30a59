"""The exact tabular learner on the iterated prisoner's dilemma, whole: the methods' order in seconds."""

import pytest
import torch

from cohort.assembly import build_trainer
from cohort.configuration.plan import Sources, make_plan

UPDATES = 200


def trained(seed: int, **typed) -> dict[str, float]:
    plan = make_plan(Sources.read("meta_mapg_exact", "ipd", {"seed": seed, "use_cuda": False, **typed}))
    trainer = build_trainer(plan, torch.device("cpu"), lambda line: None)
    for _ in range(UPDATES):
        trainer.iterate()
    return trainer.evaluate()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_who_anticipates_its_peers_learning_gets_more_from_them(seed):
    """AUC, mean over cooperating and defecting personas: at least 5 against less than 2."""
    assert trained(seed)["test_auc"] > 5
    assert trained(seed, dice_nodes="own")["test_auc"] < 2
