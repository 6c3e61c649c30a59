import dataclasses
import itertools
import math

import pytest
import torch

from cohort.modules.mixers.central import CentralMixer, CentralMixerSettings
from cohort.modules.mixers.fop import FOPMixer, FOPMixerSettings
from cohort.modules.mixers.linear import LinearMixer, LinearMixerSettings
from cohort.modules.mixers.qmix import QMIXMixer, QMIXMixerSettings
from cohort.modules.mixers.simple import IndependentMixer, VDNMixer
from cohort.settings import NoSettings
from tests.builders import SMALL, SPEC_3M, make_learner, random_episodes

VARIANTS = [
    ("qmix", {}),
    ("qmix", {"hypernet_layers": 1}),
    ("qmix_large", {}),
    ("qmix_large", {"hypernet_layers": 1}),
    ("qmix_large", {"concat_ori_s": False}),
    ("qmix_large", {"decoder_bn": False}),
]


def mixed(learner, utilities, state, draw):
    """Q_tot of utilities [B, N] in states [B, S] and, where there is one, under a random hierarchy."""
    mixer = learner.networks["mixer"]
    if "hierarchy" not in learner.networks:
        return mixer(utilities.unsqueeze(1), state.unsqueeze(1))[:, 0, 0]
    z = torch.randn(len(state), learner.settings.hierarchy_dim, generator=draw)
    return mixer(utilities, state, z)[:, 0]


@pytest.mark.parametrize(("algorithm", "flags"), VARIANTS)
@pytest.mark.parametrize("trained", [False, True])
def test_joint_value_rises_with_every_utility(algorithm, flags, trained):
    learner = make_learner(algorithm, **flags)
    draw = torch.Generator().manual_seed(1)
    if trained:
        optimiser = torch.optim.Adam(learner.networks["mixer"].parameters(), lr=0.02)
        for _ in range(300):
            utilities, state = (torch.randn(64, size, generator=draw) for size in (3, 6))
            wanted = -utilities.sum(dim=1) + state[:, 0]  # pulls against monotonicity
            loss = (mixed(learner, utilities, state, draw) - wanted).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    utilities = torch.randn(256, 3, generator=draw, requires_grad=True)
    state = torch.randn(256, 6, generator=draw)
    (slope,) = torch.autograd.grad(mixed(learner, utilities, state, draw).sum(), utilities)
    assert slope.min() >= 0
    assert slope.mean() > 0 or trained


@pytest.mark.parametrize(("algorithm", "flags"), [*VARIANTS, ("vdn", {})])
@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_increments_grow_with_the_other_agents_utilities(algorithm, flags, scale):
    """Q(a+, b+) - Q(a+, b) - Q(a, b+) + Q(a, b) >= 0 in every state and under every hierarchy: ELU is convex."""
    learner = make_learner(algorithm, **flags)
    learner.networks.double().eval()
    draw = torch.Generator().manual_seed(4)
    utilities, state = (
        scale * torch.randn(256, size, generator=draw, dtype=torch.float64) for size in (3, 6)
    )
    more = scale * torch.rand(256, 3, generator=draw, dtype=torch.float64)
    ours, theirs = (more * torch.tensor(each) for each in ([1, 0, 0], [0, 1, 1]))
    noise = torch.randn(256, 3, generator=draw, dtype=torch.float64)

    def value(at):
        mixer = learner.networks["mixer"]
        if "hierarchy" in learner.networks:
            return mixer(at, state, noise).flatten()
        return mixer(at.unsqueeze(1), state.unsqueeze(1)).flatten()

    both = value(utilities + ours + theirs) + value(utilities)
    together = both - value(utilities + ours) - value(utilities + theirs)
    assert together.min() >= -1e-9
    if algorithm == "vdn":
        assert together.abs().max() < 1e-9
    else:
        assert together.max() > 1e-3


def test_the_central_mixer_is_not_monotonic_and_reads_the_state():
    """A layer by hand; a utility that lowers the joint value; a value that the state alone decides."""
    torch.manual_seed(0)
    mixer = CentralMixer(CentralMixerSettings(central_mixing_embed_dim=16), spec=SMALL)
    utilities, state = torch.randn(7, 4, 3, requires_grad=True), torch.randn(7, 4, 6)
    values = mixer(utilities, state)
    hidden = torch.cat([state, utilities], dim=-1)
    for layer in (mixer.joint[0], mixer.joint[2], mixer.joint[4]):
        hidden = (hidden @ layer.weight.T + layer.bias).clamp(min=0)
    by_hand = hidden @ mixer.joint[6].weight.T + mixer.joint[6].bias
    first, last = mixer.value[0], mixer.value[2]
    of_state = (state @ first.weight.T + first.bias).clamp(min=0) @ last.weight.T + last.bias
    torch.testing.assert_close(values, by_hand + of_state)
    assert values.shape == (7, 4, 1)
    (slope,) = torch.autograd.grad(values.sum(), utilities)
    assert slope.min() < 0 < slope.max()


@pytest.mark.parametrize(("algorithm", "flags"), [*VARIANTS, ("vdn", {})])
def test_individual_argmaxes_are_the_joint_argmax(algorithm, flags):
    learner = make_learner(algorithm, **flags)
    learner.networks.eval()
    draw = torch.Generator().manual_seed(2)
    for _ in range(10):
        tables = torch.randn(3, 4, generator=draw)  # [N, A]
        joint = torch.tensor(list(itertools.product(range(4), repeat=3)))  # [A^N, N]
        utilities = tables.gather(1, joint.t()).t()
        state = torch.randn(1, 6, generator=draw).expand(64, 6)
        noise = torch.Generator().manual_seed(3)
        if "hierarchy" in learner.networks:
            z = torch.randn(1, 3, generator=noise).expand(64, 3)
            values = learner.networks["mixer"](utilities, state, z)
        else:
            values = learner.networks["mixer"](utilities.unsqueeze(1), state.unsqueeze(1))
        assert torch.equal(joint[values.flatten().argmax()], tables.argmax(dim=1))


def test_parameter_counts_on_3m():
    learner = make_learner("qmix", SPEC_3M)
    count = {name: sum(p.numel() for p in net.parameters()) for name, net in learner.networks.items()}
    assert count == {"policy": 28_297, "mixer": 17_761}


@pytest.mark.parametrize("layers", [1, 2])
def test_silent_decoder_leaves_qmix(layers):
    """With its decoder at zero and QMIX's weights in the state's part, MNMPG's mixer is QMIX's mixer."""
    qmix = make_learner("qmix", hypernet_layers=layers).networks["mixer"]
    large = make_learner("qmix_large", hypernet_layers=layers, decoder_bn=False).networks["mixer"]
    torch.nn.init.zeros_(large.decoder.weight)
    torch.nn.init.zeros_(large.decoder.bias)
    with torch.no_grad():
        for (name, theirs), mine in zip(qmix.named_parameters(), large.mixing.parameters(), strict=True):
            if mine.shape == theirs.shape:
                mine.copy_(theirs)
            else:
                assert "weight" in name
                mine.copy_(torch.cat([theirs, torch.randn_like(theirs)], dim=1))
    utilities, state, z = torch.randn(20, 3), torch.randn(20, 6), torch.randn(20, 3)
    torch.testing.assert_close(large(utilities, state, z), qmix(utilities, state), atol=1e-6, rtol=0)


def test_vdn_and_independent():
    utilities, state = torch.randn(2, 4, 3), torch.randn(2, 4, 6)
    vdn, independent = (make_learner(name).networks["mixer"] for name in ("vdn", "iql"))
    assert torch.equal(vdn(utilities, state)[..., 0], utilities.sum(-1))
    assert torch.equal(independent(utilities, state), utilities)


def test_batch_statistics_come_from_the_real_steps_alone():
    learner = make_learner("qmix_large")
    mixer, decoded = learner.networks["mixer"], []
    mixer.decode = lambda z, real=mixer.decode: decoded.append(real(z)) or decoded[-1]
    learner.loss(random_episodes([3, 8], SMALL))
    (rows,) = decoded
    assert len(rows) == 3 + 8
    assert mixer.normalise.num_batches_tracked == 1
    before = torch.where(rows < 0, rows / 0.01, rows)  # undo the LeakyReLU
    torch.testing.assert_close(before.mean(dim=0), torch.zeros(6), atol=1e-5, rtol=0)


@pytest.mark.parametrize("layers", [1, 2])
def test_each_of_several_outputs_is_a_monotonic_mix_with_a_last_layer_of_its_own(layers):
    settings = QMIXMixerSettings(mixing_embed_dim=5, hypernet_layers=layers, hypernet_embed=7)
    mixer = QMIXMixer(settings, spec=SMALL, outputs=4)
    utilities, state = torch.randn(3, 2, 3, requires_grad=True), torch.randn(3, 2, 6)
    values = mixer(utilities, state)
    assert values.shape == (3, 2, 4)
    w1 = mixer.hyper_w1(state).abs().view(3, 2, 3, 5)
    hidden = torch.nn.functional.elu(torch.einsum("btn,btne->bte", utilities, w1) + mixer.hyper_b1(state))
    for output in range(4):
        w2 = mixer.hyper_w2(state).abs()[..., 5 * output : 5 * output + 5]
        expected = (hidden * w2).sum(-1) + mixer.value(state)[..., output]
        torch.testing.assert_close(values[..., output], expected)
        (slope,) = torch.autograd.grad(values[..., output].sum(), utilities, retain_graph=True)
        assert slope.min() >= 0


@pytest.mark.parametrize("mixer", [VDNMixer, IndependentMixer])
def test_mixers_without_weights_refuse_several_outputs(mixer):
    with pytest.raises(ValueError, match=r"has no 2 outputs.*choose mixer=qmix"):
        mixer(NoSettings(), spec=SMALL, outputs=2)


def linear_mixer(embed: int = 5) -> LinearMixer:
    torch.manual_seed(3)
    return LinearMixer(LinearMixerSettings(mixing_embed_dim=embed), spec=SMALL).double()


def test_linear_weights_are_by_hand_at_least_zero_and_of_sum_one():
    mixer, state = linear_mixer(), torch.randn(20, SMALL.state_dim, dtype=torch.float64)
    weights = mixer.weights(state)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(20, dtype=torch.float64))
    for row, found in zip(state, weights, strict=True):
        w1 = (mixer.hyper_w1.weight @ row + mixer.hyper_w1.bias).abs()
        w2 = (mixer.hyper_w2.weight @ row + mixer.hyper_w2.bias).abs()
        own = [sum(w1[5 * i + e] * w2[e] for e in range(5)) for i in range(3)]
        torch.testing.assert_close(found, torch.stack(own) / sum(own))
    for parameter in mixer.parameters():
        parameter.data.zero_()
    assert not mixer.weights(state).any(), "nothing to divide by"


def test_a_linear_mixer_of_mean_utilities_is_the_mean_over_all_joint_actions():
    """What makes DOP's tree backup exact: E_pi Q_tot by enumeration."""
    mixer, draw = linear_mixer(), torch.Generator().manual_seed(5)
    state = torch.randn(SMALL.state_dim, generator=draw, dtype=torch.float64)
    utilities, logits = torch.randn(2, SMALL.n_agents, SMALL.n_actions, generator=draw, dtype=torch.float64)
    policies = logits.softmax(dim=-1)
    mean = 0.0
    for joint in itertools.product(range(SMALL.n_actions), repeat=SMALL.n_agents):
        chance = math.prod(float(policies[i, a]) for i, a in enumerate(joint))
        chosen = torch.stack([utilities[i, a] for i, a in enumerate(joint)])
        mean += chance * mixer(chosen, state).item()
    assert mixer((policies * utilities).sum(dim=-1), state).item() == pytest.approx(mean, abs=1e-6)


def test_a_linear_mixer_has_one_output():
    with pytest.raises(ValueError, match="mixer=linear has no 2 outputs"):
        LinearMixer(LinearMixerSettings(mixing_embed_dim=5), spec=SMALL, outputs=2)


def fop_mixer(agents: int) -> FOPMixer:
    torch.manual_seed(4)
    spec = dataclasses.replace(SMALL, n_agents=agents)
    return FOPMixer(FOPMixerSettings(mixing_embed_dim=8, mixing_heads=4), spec=spec)


def test_fop_of_one_agent_whose_weight_is_one_is_its_value_beside_the_states(monkeypatch):
    """Oracle: with a single agent and lambda = 1 the mix equals Q + V(s)."""
    mixer = fop_mixer(1)
    monkeypatch.setattr(mixer, "weights", lambda state, actions: torch.ones(len(state), 1))
    state, utilities, values = torch.randn(5, 6), torch.randn(5, 1), torch.randn(5, 1)
    actions = torch.eye(4)[torch.randint(4, (5, 1))]
    torch.testing.assert_close(mixer(utilities, state, actions, values), utilities + mixer.value(state))


def test_fop_mixes_by_the_formula_row_by_row_and_its_weights_are_not_negative():
    mixer = fop_mixer(3)
    state, utilities, values = torch.randn(5, 6), torch.randn(5, 3), torch.randn(5, 3)
    actions = torch.eye(4)[torch.randint(4, (5, 3))]
    found = mixer(utilities, state, actions, values)
    assert found.shape == (5, 1)
    weights = mixer.weights(state, actions)
    assert (weights >= 0).all()
    for row in range(5):
        both = torch.cat([state[row], actions[row].flatten()])
        total = mixer.value(state[row])[0]
        for agent in range(3):
            weight = sum(
                mixer.key(state[row])[head].abs()
                * mixer.agents(state[row])[3 * head + agent].sigmoid()
                * mixer.actions(both)[3 * head + agent].sigmoid()
                for head in range(4)
            )
            torch.testing.assert_close(weights[row, agent], weight)
            q, v = utilities[row, agent], values[row, agent]
            total = total + q + (weight - 1) * (q - v)
        torch.testing.assert_close(found[row, 0], total)


def test_fop_passes_every_critic_the_gradient_of_a_sum_and_none_to_the_values():
    mixer = fop_mixer(3)
    utilities, values = torch.randn(5, 3, requires_grad=True), torch.randn(5, 3, requires_grad=True)
    actions = torch.eye(4)[torch.randint(4, (5, 3))]
    mixed = mixer(utilities, torch.randn(5, 6), actions, values).sum()
    slope, none = torch.autograd.grad(mixed, [utilities, values], allow_unused=True)
    assert torch.equal(slope, torch.ones(5, 3))
    assert none is None
