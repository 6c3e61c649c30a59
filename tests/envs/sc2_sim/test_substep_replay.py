"""What is told of the inside of a step is what happened."""

import numpy as np
import pytest
import torch

from cohort.envs.sc2_sim.battle import Course
from cohort.envs.sc2_sim.planes import ENERGY, HEALTH, SHIELD
from cohort.envs.sc2_sim.substep_replay import SubstepReplay

from .scripts import nearest
from .support import make, positions


@pytest.mark.parametrize("map_name", ["3m", "2s3z", "MMM", "1c3s5z"])
def test_the_pieces_of_a_step_make_the_whole(map_name):
    env = make(map_name, batch_size=2, seed=3)
    chronicle = SubstepReplay(env, 1)
    for _ in range(25):
        before = env.games
        env.step(nearest(env))
        after = env.games
        if after.terminated[1]:
            break
        units, one = before.units[:, 1:], chronicle.battle
        course = Course(*(each[1:] for each in before.course))
        orders = one.orders(units, after.actions[1:], before.keys[1:])
        reload = one.reload_times(before.keys[1:], before.t[1:])
        for _ in range(4):
            units, course = one.advance(units, course, orders, reload)
        torch.testing.assert_close(units, after.units[:, 1:], rtol=1e-4, atol=1e-3)
        assert torch.equal(course.target, after.target[1:])


def test_a_step_is_told_in_four_moments_and_ends_with_the_present():
    env = make("MMM2", batch_size=3, seed=1)
    chronicle = SubstepReplay(env, 2)
    assert [moment.time for moment in chronicle.moments()] == [0.0]
    for step in range(12):
        env.step(nearest(env))
        told = chronicle.moments()
        assert [moment.time for moment in told] == [step + 0.25, step + 0.5, step + 0.75, step + 1.0]
        last, planes = told[-1], env.games.units[:, 2].numpy()
        assert np.array_equal(last.alive, planes[HEALTH] > 0)
        assert np.array_equal(last.place[last.alive], positions(env)[2].numpy()[last.alive])
        for plane, value in ((HEALTH, last.health), (SHIELD, last.shield), (ENERGY, last.energy)):
            assert np.array_equal(value, planes[plane])
        assert chronicle.moments() == []


def test_every_lost_point_of_health_is_a_shot_that_was_told():
    env = make("8m", seed=5)
    chronicle, shots = SubstepReplay(env, 0), np.zeros(16)
    chronicle.moments()
    for _ in range(40):
        env.step(nearest(env))
        for moment in chronicle.moments():
            np.add.at(shots, moment.target[moment.fired], 1)
        last = chronicle.now
        assert (last.health == 45 - 6 * shots)[last.alive].all()
        assert (6 * shots >= 45)[~last.alive].all()
        assert np.isfinite(last.place).all()  # where they died
    assert not last.alive.all()


def test_heals_name_the_medivac_and_its_patient():
    env = make("MMM2", seed=1)
    chronicle, patients = SubstepReplay(env, 0), set()
    previous = chronicle.moments()[-1]
    for _ in range(25):
        env.step(nearest(env))
        for moment in chronicle.moments():
            for medic in moment.healed.nonzero()[0]:
                assert medic in (9, 21)  # the last of each side
                patient = moment.target[medic]
                assert (patient < 10) == (medic < 10)
                assert np.hypot(*(previous.place[medic] - previous.place[patient])) < 6
                patients.add(patient < 10)
            previous = moment
    assert patients == {True, False}


def test_a_baneling_bursts_once_and_is_gone():
    env = make("bane_vs_bane", seed=1)
    chronicle, bursts = SubstepReplay(env, 0), np.zeros(48, int)
    previous = chronicle.moments()[-1]
    for _ in range(20):
        env.step(nearest(env))
        for moment in chronicle.moments():
            bursts += moment.burst
            assert np.array_equal(
                moment.burst[:4], (previous.alive & ~moment.alive)[:4]
            )  # banelings come first
            assert not moment.alive[moment.burst].any()
            previous = moment
    assert bursts.max() == 1
    assert bursts[4:44].sum() == 0
    assert bursts.sum() == 8


def test_a_new_episode_and_missed_steps_are_told_by_the_present_alone():
    env = make("3m", seed=1)
    chronicle = SubstepReplay(env, 0)
    chronicle.moments()
    env.step(nearest(env))
    env.step(nearest(env))
    assert [moment.time for moment in chronicle.moments()] == [2.0]
    env.reset()
    told = chronicle.moments()
    assert [(moment.time, moment.episode) for moment in told] == [(0.0, 1)]
    assert told[0].alive.all()


def test_steps_of_one_tick_are_told_whole():
    env = make("3m", seed=1, step_mul=1)
    chronicle = SubstepReplay(env, 0)
    chronicle.moments()
    env.step(nearest(env))
    assert [moment.time for moment in chronicle.moments()] == [1.0]
