"""REINFORCE among learning peers: no thought for anybody's learning (Williams 1992; Meta-MAPG, section 5)."""

import torch

from cohort.chains.unroll import ascend
from cohort.components.averages import Metrics
from cohort.learners.meta.meta_base import (
    MetaLearnerSettings,
    SampledLearner,
    chain_metrics,
    count,
    in_parts,
    scores_of,
)
from cohort.modules.policies import Params


class ReinforceLearner(SampledLearner):
    """One policy that takes its own inner updates in every chain and is never set back.

    The paper gives it no outer rate: what it has learned with the peers of one chain is what it begins the next with.
    At meta-testing it adapts by the same updates.
    """

    Settings = MetaLearnerSettings

    def update(self, peers: Params) -> Metrics:
        """The chains one after the other, L + 1 updates in each."""
        scores = []
        for one, chance in in_parts(peers, self.draw(count(peers), self.draws), 1):
            stages = list(self.plain_stages(one, chance))
            last = stages[-1]
            after = ascend(last.params[0], last.objective(0), self.rates[-1:], differentiate=False)
            with torch.no_grad():
                for name, each in self.first.items():
                    each.copy_(after[name][0])
            scores.append(scores_of(stages))
        self.updates += 1
        return chain_metrics(torch.cat(scores))
