"""mpe2's tag: both sides learn, and the predators of another run meet that run's prey."""

import pytest

from cohort.cli import main
from cohort.recording.checkpoints import load_checkpoint
from tests import harness
from tests.envs.foreign.support import needs

needs("pettingzoo")
needs("mpe2")

TAG = "env_args.key=mpe2.simple_tag_v3 env_args.common_reward=False t_max=100 teams.predators.agents=adversary_*"


@pytest.mark.parametrize("algorithm", ["ippo", "qmix"])
def test_both_sides_learn_and_a_frozen_prey_stays_as_it_is(algorithm, tmp_path):
    def run(label: str, prey: str):
        text = f"{TAG} {prey} local_results_path={tmp_path / label}"
        assert main(harness.words(algorithm, "pettingzoo", text)) == 0
        folder = harness.only_run(tmp_path / label)
        parts = load_checkpoint(folder / "checkpoint.pt")["trainer"]["learner"]["parts"]
        return folder, parts, harness.metrics(folder)[-1]["metrics"]

    first, learned, found = run("both", "teams.prey=agent_0")
    caught, lost = found["predators/test_return_mean"], found["prey/test_return_mean"]
    own = [found[f"test_agent_{i}_return_mean"] for i in range(4)]
    assert caught == pytest.approx(sum(own[:3]), abs=1e-3)
    assert lost == pytest.approx(own[3], abs=1e-3)
    assert {"predators", "prey"} == learned["sides"].keys()

    _, kept, found = run("frozen", f"teams.prey.policy={first}")
    assert {"predators"} == kept["sides"].keys()
    assert "prey/test_return_mean" in found
    frozen = {name.partition("policy.")[2]: value for name, value in kept["guests"]["prey"].items()}
    source = learned["sides"]["prey"]["networks"]
    source = {name.partition(".")[2]: value for name, value in source.items() if name.startswith("policy.")}
    assert frozen.keys() == source.keys()
    assert all((frozen[name] == source[name]).all() for name in source)
