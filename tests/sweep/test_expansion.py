"""What a command line with several values means."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohort.cli import main, parse
from cohort.errors import UserError
from cohort.sweep.expansion import expand, values


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("3", ["3"]),
        ("3m,8m", ["3m", "8m"]),
        ("0..4", ["0", "1", "2", "3", "4"]),
        ("7..7", ["7"]),
        ("-1..1", ["-1", "0", "1"]),
        ("0..10..5", ["0", "5", "10"]),
        ("0..9..5", ["0", "5"]),
        ("4..0..-2", ["4", "2", "0"]),
        ("0..2,7,9..10", ["0", "1", "2", "7", "9", "10"]),
        ("1e-3, 5e-4", ["1e-3", "5e-4"]),
        ("0.1..0.3..0.1", ["0.1", "0.2", "0.3"]),  # in floating point, 0.1 + 0.2 is more than 0.3
        ("0.001..0.010..0.001", [f"0.00{digit}" for digit in range(1, 10)] + ["0.01"]),
        ("1..2..0.5", ["1", "1.5", "2"]),
        ("0.5..0..-0.25", ["0.5", "0.25", "0"]),
        ("0.8..1.21..0.2,3", ["0.8", "1", "1.2", "3"]),
        ("1e-4..3e-4..1e-4", ["0.0001", "0.0002", "0.0003"]),
        ("100..300..1e2", ["100", "200", "300"]),
        ("1...2", ["1...2"]),  # no range: text, for the configuration to judge
        ("runs/..", ["runs/.."]),
        ("[1,2]", ["[1,2]"]),
        ("[1,2],[3,[4,5]]", ["[1,2]", "[3,[4,5]]"]),
        ("{'a':1,'b':2}", ["{'a':1,'b':2}"]),
        ("(1,2)", ["(1,2)"]),
        ("'a,b'", ["'a,b'"]),
        ("'a,b',\"c,d\"", ["'a,b'", '"c,d"']),
        ("['a]','b'],c", ["['a]','b']", "c"]),
        ("it's,yours", ["it's", "yours"]),
        ("[1,2", ["[1,2"]),
        ("", [""]),
    ],
)
def test_a_value_means(text, meant):
    assert values(text, "key") == meant


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("3m,", "key=3m,: this list has an empty place"),
        (",", "empty place"),
        ("1,,2", 'key="a,b"'),
        ("3..1", "key=1..3 counts up, key=3..1..-1 counts down"),
        ("9..1..2", "key=1..9..2 counts up, key=9..1..-2 counts down"),
        ("1..3..-1", "no number lies on this way"),
        ("1..3..0", "no number lies on this way"),
        ("0..9999999999", "10,000,000,000 numbers"),
        ("0..1..0.00001", "100,001 numbers"),
        ("0..9e99", "numbers. A range may have"),
        ("0.5..1", "a range of fractions needs its step, as key=0.5..1..0.1"),
        ("0.3..0.1..0.1", "key=0.1..0.3..0.1 counts up, key=0.3..0.1..-0.1 counts down"),
    ],
)
def test_a_value_that_means_nothing_is_refused(text, told):
    with pytest.raises(UserError) as refused:
        values(text, "key")
    assert told in str(refused.value)


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-9, 9).filter(bool))
def test_a_range_is_pythons_with_its_end(first, last, step):
    counted = list(range(first, last + (1 if step > 0 else -1), step))
    if not counted:
        with pytest.raises(UserError):
            values(f"{first}..{last}..{step}", "key")
    else:
        assert values(f"{first}..{last}..{step}", "key") == [str(number) for number in counted]


@given(st.integers(-999, 999), st.integers(0, 40), st.integers(1, 99), st.integers(0, 6))
def test_a_range_of_fractions_is_the_range_of_its_units(first, count, step, places):
    def written(units):
        return f"{Decimal(units).scaleb(-places):f}"

    typed = f"{written(first)}..{written(first + step * count)}..{written(step)}"
    meant = [Decimal(first + step * place).scaleb(-places) for place in range(count + 1)]
    assert [Decimal(text) for text in values(typed, "key")] == meant
    assert all(len(text) <= places + 6 for text in values(typed, "key")), "no dust"


# not "--", which is refused as the name of a configuration
words = st.text(st.sampled_from("abxyz0189_-."), min_size=1, max_size=4).filter(
    lambda text: ".." not in text and text != "--"
)
quoted = words.map(lambda text: f"'{text},{text}'") | words.map(lambda text: f"[{text},[{text}]]") | words


@given(st.lists(st.lists(quoted, min_size=1, max_size=3), min_size=2, max_size=4))
def test_the_runs_are_the_product_in_the_order_typed(axes):
    config, env_config, *rest = [",".join(axis) for axis in axes]
    found = expand(config, env_config, [f"key{place}={text}" for place, text in enumerate(rest)])
    assert [
        (run.config, run.env_config, *(word.partition("=")[2] for word in run.typed)) for run in found
    ] == list(itertools.product(*axes))
    several = {
        name
        for name, axis in zip(["--config", "--env-config", "key0", "key1"], axes, strict=False)
        if len(axis) > 1
    }
    for run in found:
        assert set(run.varied) == several
        assert parse(run.words).runs == (), "each run alone is no sweep"


def test_each_run_is_a_command_of_its_own(capsys):
    line = [
        "--config=qmix,vdn",
        "--env-config=matrix_games",
        "--dry-run",
        "with",
        "seed=1..2",
        "lr=1e-3",
        "t_max=9",
    ]
    assert main(line) == 0
    assert capsys.readouterr().out == (
        "1  --config=qmix --env-config=matrix_games with seed=1 lr=1e-3 t_max=9\n"
        "2  --config=qmix --env-config=matrix_games with seed=2 lr=1e-3 t_max=9\n"
        "3  --config=vdn --env-config=matrix_games with seed=1 lr=1e-3 t_max=9\n"
        "4  --config=vdn --env-config=matrix_games with seed=2 lr=1e-3 t_max=9\n"
        "4 runs\n"
    )


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (
            "seed=0..2 lr=1e-3,0",
            ["run 2 of 6: lr = 0 (on the command line): must be greater than 0", "No run was started"],
        ),
        ("seed=0..2 t_maxx=3", ["run 1 of 3", "Did you mean 't_max'"]),
        ("seed=0..2,1", ["runs 2 and 4 are the same", "seed=1"]),
        ("lr=0.001,1e-3", ["runs 1 and 2 are the same"]),
        ("seed=0..2 t_max", ["'t_max' is not of the form key=value"]),
        ("env_args.map_name=two_step,twostep", ["run 2 of 2", "Did you mean 'two_step'"]),
        ("seed=0..1000", ["1,001 runs", "--yes"]),
        ("seed=0..2 --jobs=0", ["--jobs", "'0' is no number of runs"]),
        ("seed=0..2 --jbos=2", ["'--jbos=2'", "Did you mean '--jobs'"]),
        ("seed=0..2 --cluster=127.0.0.1:1 --jobs=1", ["--cluster"]),
    ],
)
def test_one_wrong_value_stops_the_sweep_before_its_first_run(typed, told, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)  # as where it is not installed
    results = tmp_path / "results"
    line = [
        "--config=vdn",
        "--env-config=matrix_games",
        "with",
        *typed.split(),
        f"local_results_path={results}",
    ]
    assert main(line) == 2
    message = " ".join(capsys.readouterr().err.split())
    for part in told:
        assert part in message
    assert not list(results.glob("*")) if results.exists() else True


def test_a_missing_ray_is_told_with_its_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    line = [
        "--config=vdn",
        "--env-config=matrix_games",
        "--cluster=auto",
        "with",
        f"local_results_path={tmp_path}",
    ]
    assert main(line) == 2
    assert "pip install -r requirements/ray.txt" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_print_config_and_the_options_of_sweeps_belong_where_they_belong(tmp_path, capsys):
    assert main(["--config=vdn,qmix", "--env-config=matrix_games", "print_config"]) == 2
    assert "--dry-run prints its runs" in capsys.readouterr().err
    assert main([f"--resume={tmp_path}", "--jobs=2"]) == 2
    assert "--jobs belongs to sweeps" in capsys.readouterr().err
