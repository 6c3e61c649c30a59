"""The example package, as somebody would use it who has read nothing but its README."""

import inspect

import pytest
import torch

from cohort.assembly import build_learner
from cohort.cli import main
from cohort.configuration.layers import Sources
from cohort.configuration.plan import make_plan
from cohort.configuration.updates import parse_updates
from cohort.experiment import Experiment
from cohort.policy import load_policy
from examples.meeting.hysteretic import HystereticLearner
from examples.meeting.meeting import Meeting, MeetingSettings
from tests import harness
from tests.builders import SMALL, random_episodes
from tests.envs import test_contract as contract

WEIGHTED = "examples/weighted_qmix/weighted_qmix.yaml"
SOFT = "examples/soft_actor_critic/soft_actor_critic.yaml"
REINFORCE = "examples/reinforce_team/reinforce.yaml"
HYSTERETIC, MEETING = "examples/meeting/hysteretic.yaml", "examples/meeting/meeting.yaml"


def make(batch_size: int = contract.B, seed: int = 1) -> Meeting:
    return Meeting(MeetingSettings(length=4, episode_limit=6), batch_size=batch_size, seed=seed)


@pytest.mark.parametrize(
    "ask",
    [
        each
        for name, each in vars(contract).items()
        if name.startswith("test_") and list(inspect.signature(each).parameters) == ["make"]
    ],
    ids=lambda ask: ask.__name__,
)
def test_the_environment_keeps_the_contract(ask):
    ask(make)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_the_environment_resumes_exactly(steps):
    contract.test_a_restored_environment_goes_on_bit_for_bit(make, steps)


def test_a_disappointment_weighs_less():
    learner = learner_of_the_example(disappointment=0.25)
    episodes = random_episodes([4, 2], SMALL)
    joint = torch.zeros(2, 4, 3)
    target = torch.ones(2, 4, 3) * torch.tensor([1.0, -1.0])[:, None, None]
    assert learner.temporal_difference(joint, target, episodes).value == pytest.approx((4 + 0.25 * 2) / 6)


def learner_of_the_example(**typed) -> HystereticLearner:
    plan = make_plan(Sources.read(HYSTERETIC, "matrix_games", typed))
    return build_learner(plan, SMALL, torch.device("cpu"))[1]


def test_a_team_learns_to_meet(tmp_path):
    """Who goes to the middle cell and waits there meets in at most 3 steps; random walkers take 7.5 on average."""
    words = [f"--config={HYSTERETIC}", f"--env-config={MEETING}", "with", "t_max=12000", "use_cuda=False",
             "test_interval=12000", "lr=0.002", "rnn_hidden_dim=32", f"local_results_path={tmp_path}"]  # fmt: skip
    assert main(words) == 0
    policy = load_policy(harness.only_run(tmp_path))
    episodes = policy.play(policy.make_env(games=256, seed=3), episodes=256)
    assert episodes.info["met"].mean() > 0.9
    assert episodes.length.float().mean() < 5


# --- methods written from docs/write_a_method.md


def learner_of(config: str, **typed):
    plan = make_plan(Sources.read(config, "matrix_games", typed))
    return build_learner(plan, SMALL, torch.device("cpu"))[1]


def real_steps(episodes):
    return [(b, t) for b, length in enumerate(episodes.length.tolist()) for t in range(length)]


@pytest.mark.parametrize("weighting", ["central", "optimistic"])
def test_weighted_qmix_weighs_errors_as_its_paper_does(weighting):
    learner = learner_of(WEIGHTED, weighting=weighting, weight=0.1)
    for parameter in learner.targets.networks.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    episodes = random_episodes([3, 5, 2, 8])
    live, target = learner.networks, learner.targets
    with torch.no_grad():
        inputs = learner.policy.inputs(episodes)
        q = learner.policy.unroll(inputs, episodes)
        central = live["central_policy"].unroll(inputs, episodes)
        old = target["central_policy"].unroll(inputs, episodes)
        errors, small = [], 0
        for b, t in real_steps(episodes):

            def one(mixer, values, t, actions, b=b):
                chosen = torch.stack([values[b, t, i, actions[i]] for i in range(3)])
                return mixer(chosen.view(1, 1, 3), episodes.state[b, t].view(1, 1, -1)).squeeze()

            def best(t, b=b):
                return q[b, t].masked_fill(~episodes.available_actions[b, t], -torch.inf).argmax(-1)

            taken = episodes.actions[b, t]
            following = (
                0.0 if episodes.terminated[b, t] else one(target["central_mixer"], old, t + 1, best(t + 1))
            )
            y = episodes.reward[b, t] + 0.99 * following
            q_tot, q_star = one(live["mixer"], q, t, taken), one(live["central_mixer"], central, t, taken)
            if weighting == "central":
                favoured = torch.equal(taken, best(t)) or y > one(live["central_mixer"], central, t, best(t))
            else:
                favoured = q_tot < y
            small += not favoured
            errors.append((1.0 if favoured else 0.1) * (q_tot - y) ** 2 + (q_star - y) ** 2)
    assert 0 < small < len(errors)
    torch.testing.assert_close(
        learner.loss(episodes).value.detach(), torch.stack(errors).mean(), rtol=1e-4, atol=1e-5
    )


def learned_return(config: str, text: str, rounds: int) -> float:
    words = f"use_cuda=False test_nepisode=8 batch_size_run=32 {text}".split()
    trained = Experiment(
        make_plan(Sources.read(config, "matrix_games", parse_updates(words))), lambda line: None
    )
    for _ in range(rounds):
        trained.trainer.iterate()
    return trained.evaluate()["test_return_mean"]


def test_weighted_qmix_finds_the_optimum_that_qmix_cannot_represent():
    """8 for both first actions, -12 for one of them alone, 0 elsewhere; explored uniformly."""
    text = (
        "env_args.map_name=nonmonotonic epsilon_finish=1.0 updates_per_episode=0.2 rnn_hidden_dim=32 lr=0.002"
    )
    assert learned_return(WEIGHTED, text, rounds=60) == 8
    assert learned_return("qmix", text, rounds=60) == 0


def test_the_soft_actor_critic_learns_expected_soft_values():
    learner = learner_of(SOFT, temperature=0.3)
    for parameter in learner.targets.networks.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    episodes = random_episodes([3, 5, 2, 8])
    inputs = learner.policy.inputs(episodes)
    logits = learner.policy.unroll(inputs, episodes)

    def soft_value(networks, k, b, t):
        utilities = networks[f"utilities_{k}"].unroll(inputs, episodes)[b, t].detach()
        values = []
        for i in range(3):
            available = episodes.available_actions[b, t, i].nonzero()[:, 0]
            log_probs = logits[b, t, i, available].log_softmax(0)
            values.append((log_probs.exp() * (utilities[i, available] - 0.3 * log_probs)).sum())
        return networks[f"mixer_{k}"](
            torch.stack(values).view(1, 1, 3), episodes.state[b, t].view(1, 1, -1)
        ).squeeze()

    critic, actor = [], []
    for b, t in real_steps(episodes):
        after = min(soft_value(learner.targets, k, b, t + 1).detach() for k in (1, 2))
        y = episodes.reward[b, t] + (0.0 if episodes.terminated[b, t] else 0.99 * after)
        for k in (1, 2):
            utilities = learner.networks[f"utilities_{k}"].unroll(inputs, episodes)[b, t]
            chosen = torch.stack([utilities[i, episodes.actions[b, t, i]] for i in range(3)])
            joint = learner.networks[f"mixer_{k}"](chosen.view(1, 1, 3), episodes.state[b, t].view(1, 1, -1))
            critic.append((joint.squeeze() - y) ** 2)
        actor.append(-soft_value(learner.networks, 1, b, t))
    steps = len(actor)
    torch.testing.assert_close(
        learner.critic_loss(episodes, inputs).value, torch.stack(critic).sum() / steps, rtol=1e-4, atol=1e-5
    )
    loss, expected = learner.actor_loss(episodes, inputs).value, torch.stack(actor).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)
    parameters = list(learner.policy.parameters())
    for one, other in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        assert one.isfinite().all()  # though most actions are unavailable somewhere
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_reinforce_climbs_returns_above_its_baseline():
    learner = learner_of(REINFORCE, entropy_coef=0.0)
    episodes = random_episodes([3, 5, 2, 8])
    prepared = learner.prepare(episodes)
    values = learner.critic(episodes).detach()
    for b, length in enumerate([3, 5, 2, 8]):
        for i in range(3):
            following = 0.0 if episodes.terminated[b, length - 1] else float(values[b, length, i])
            for t in reversed(range(length)):
                following = float(episodes.reward[b, t]) + 0.99 * following
                assert float(prepared.extras["returns"][b, t, i]) == pytest.approx(following, abs=1e-4)
    logits = learner.policy.unroll(learner.policy.inputs(episodes), episodes)
    log_probs = logits.masked_fill(~episodes.available_actions, -torch.inf).log_softmax(-1).detach()
    scores = [
        float(log_probs[b, t, i, episodes.actions[b, t, i]] * prepared.extras["advantage"][b, t, i])
        for b, t in real_steps(episodes)
        for i in range(3)
    ]
    metrics = learner.step(prepared)
    assert float(metrics["actor_loss"]) == pytest.approx(-sum(scores) / len(scores), rel=1e-4)
    assert all(each.isfinite().all() for each in learner.policy.parameters())


@pytest.mark.parametrize("config", ["soft_actor_critic", "reinforce"])
def test_outsiders_actor_critics_learn_a_game_with_a_known_optimum(config):
    game = "env_args.map_name=custom env_args.payoff=[[2,0],[0,10]] rnn_hidden_dim=16 lr=0.005"
    if config == "reinforce":
        assert learned_return(REINFORCE, game, rounds=80) == 10
    else:
        text = (
            "critic_lr=0.005 target_update_rate=0.1 updates_per_episode=0.1 temperature=0.5 temperature_lr=0"
        )
        assert learned_return(SOFT, f"{game} {text}", rounds=80) == 10
