"""The benchmark of whole training: it measures what it says, and leaves nothing running."""

import re

import psutil

from benchmarks import end_to_end


def test_it_prints_a_line_for_each_number_of_games_and_updates(capsys):
    words = "--config=vdn --env-config=matrix_games --steps 40 --rounds 2 --games 2 4 --updates 0.5 1"
    end_to_end.main([*words.split(), "with", "batch_size=4", "rnn_hidden_dim=8"])
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[:2] for line in lines] == [["2", "0.5"], ["2", "1.0"], ["4", "0.5"], ["4", "1.0"]]
    for line in lines:
        numbers = [int(word.replace(",", "")) for word in re.findall(r"[\d,]+", line.split(maxsplit=2)[2])]
        assert len(numbers) == 6
        assert all(number > 0 for number in numbers)


def test_workers_are_counted_while_they_run_and_ended_afterwards():
    training = end_to_end.training("qmix", "pettingzoo", 2, 1.0, 50, {"batch_size": 2, "rnn_hidden_dim": 8})
    before = psutil.Process().children()
    rates = next(training)
    workers = [each for each in psutil.Process().children(recursive=True) if each not in before]
    alone = psutil.Process().cpu_times()
    assert len(workers) >= 2
    assert end_to_end.cpu_seconds() > alone.user + alone.system
    assert 0 < rates.per_cpu_second < 1e6
    training.close()
    assert not [each for each in workers if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
