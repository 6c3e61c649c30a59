"""Saving and restoring: whatever has state is afterwards as it was, in place and without shared tensors."""

import copy

import pytest
import torch
from torch import nn

from cohort.components.averages import RunningAverages
from cohort.components.state import load_optimiser, restore, state_of


class Whole:
    """One of everything that can be a part."""

    def __init__(self, seed: int, lr: float = 0.1) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.network = nn.Linear(3, 2)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=lr)
        self.table = torch.rand(4, 2, generator=self.generator).requires_grad_()
        self.params = {
            "w": torch.rand(2, generator=self.generator),
            "b": torch.rand(1, generator=self.generator),
        }
        self.averages = RunningAverages()

    @property
    def parts(self) -> dict:
        return {
            "generator": self.generator,
            "network": self.network,
            "optimiser": self.optimiser,
            "table": self.table,
            "params": self.params,
            "nested": {"averages": self.averages},
        }

    def live(self) -> list[float]:
        """Some steps of everything, and what they came to."""
        for _ in range(3):
            loss = self.network(torch.rand(5, 3, generator=self.generator)).square().sum()
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            with torch.no_grad():
                self.table.mul_(0.9)
                self.params["w"].add_(loss.detach())
            self.averages.add({"loss": loss})
        sums = [each.sum().item() for each in (self.table, *self.params.values(), *self.network.parameters())]
        return [*sums, self.averages._sums["loss"].item(), torch.rand(1, generator=self.generator).item()]


def test_what_is_restored_goes_on_like_what_was_saved():
    saved, other = Whole(seed=1), Whole(seed=2)
    saved.live()
    state = copy.deepcopy(state_of(saved.parts))
    restore(other.parts, state)
    assert other.live() == saved.live()


def test_a_state_survives_restoring_it_and_going_on():
    whole = Whole(seed=1)
    whole.live()
    state = copy.deepcopy(state_of(whole.parts))
    restore(whole.parts, state)
    first = whole.live()
    restore(whole.parts, state)
    assert whole.live() == first


def test_tensors_and_generators_are_copied_out_and_written_in_place():
    whole = Whole(seed=1)
    table, w = whole.table, whole.params["w"]
    state = state_of({"table": table, "params": whole.params, "generator": whole.generator})
    before = table.detach().clone(), w.clone()
    whole.live()
    assert torch.equal(state["table"], before[0])
    assert torch.equal(state["params"]["w"], before[1])
    restore({"table": table, "params": whole.params, "generator": whole.generator}, state)
    assert whole.table is table
    assert whole.params["w"] is w
    assert table.requires_grad
    assert torch.equal(table, before[0])
    assert torch.equal(w, before[1])


def test_an_optimiser_keeps_the_rates_of_its_settings():
    saved, other = Whole(seed=1, lr=0.1), Whole(seed=1, lr=0.7)
    saved.live()
    restore({"optimiser": other.optimiser}, state_of({"optimiser": saved.optimiser}))
    assert other.optimiser.param_groups[0]["lr"] == 0.7
    assert len(other.optimiser.state_dict()["state"]) == 2  # the moments of both parameters came along


def test_an_optimiser_writes_to_no_tensor_of_the_state():
    saved, other = Whole(seed=1), Whole(seed=2)
    saved.live()
    state = copy.deepcopy(saved.optimiser.state_dict())
    kept = copy.deepcopy(state)
    load_optimiser(other.optimiser, state)
    other.live()
    assert torch.equal(state["state"][0]["exp_avg"], kept["state"][0]["exp_avg"])


def test_names_besides_are_not_read_and_missing_ones_are_told():
    table = torch.zeros(2)
    restore({"table": table}, {"table": torch.ones(2), "updates": 3})
    assert table.tolist() == [1, 1]
    with pytest.raises(ValueError, match="the saved state has no 'critic'; it has table, updates"):
        restore({"critic": table}, {"table": torch.ones(2), "updates": 3})


def test_a_tensor_of_another_shape_is_refused_though_it_could_be_stretched():
    with pytest.raises(ValueError, match=r"the saved table is \[1\], and here it is \[2\]"):
        restore({"table": torch.zeros(2)}, {"table": torch.ones(1)})
