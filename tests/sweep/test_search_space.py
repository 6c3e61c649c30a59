"""What a searched key may be, how it is typed, and what is refused before anything is built."""

import pytest

from cohort.cli import main, parse
from cohort.errors import UserError
from cohort.sweep.search.parameters import Choice, Grid, Interval, LogWhole, parameter_of
from cohort.sweep.search.space import Space


@pytest.mark.parametrize(
    ("text", "kind", "meant"),
    [
        ("0.0001..0.01..log", Interval, "0.0001 to 0.01, logarithmic"),
        ("1e-4..1e-2..log", Interval, "0.0001 to 0.01, logarithmic"),
        ("0.9..0.99", Interval, "0.9 to 0.99"),
        ("0..1.0", Interval, "0.0 to 1.0"),
        ("-1..1.5", Interval, "-1.0 to 1.5"),
        ("1..9", Grid, "1 to 9 in steps of 1"),
        ("32..128..32", Grid, "32 to 128 in steps of 32"),
        ("0.1..0.75..0.2", Grid, "0.1 to 0.7 in steps of 0.2"),
        ("8..512..log", LogWhole, "8 to 512, whole, logarithmic"),
        ("qmix,vdn", Choice, "one of qmix, vdn"),
        ("[64],[64,64]", Choice, "one of [64], [64,64]"),
        ("True,False", Choice, "one of True, False"),
        ("0..2,7", Choice, "one of 0, 1, 2, 7"),
    ],
)
def test_a_range_or_list_is_a_parameter(text, kind, meant):
    found = parameter_of("key", text)
    assert isinstance(found, kind)
    assert found.describe() == meant


@pytest.mark.parametrize("text", ["3", "0.5", "rmsprop", "[1,2]", "'a,b'", "runs/..", ""])
def test_a_single_value_is_none(text):
    assert parameter_of("key", text) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.01..0.001", "from a number to a larger one. Type key=0.001..0.01."),
        ("0.01..0.001..log", "Type key=0.001..0.01..log."),
        ("3..3", "from a number to a larger one"),
        ("0..1..log", "0 has no logarithm"),
        ("-1.0..1..log", "-1.0 has no logarithm"),
        ("0.1..0.5..0", "the step is 0. It must be greater than 0 and at most 0.4"),
        ("1..3..5", "at most 2"),
        ("1..3..lin", "key=1..3..lin is no range. Allowed: key=1..9"),
        ("0.1..x", "is no range"),
        ("0.1..0.2..0.1..log", "is no range"),
        ("qmix,vdn,qmix", "qmix is there twice"),
        ("a,,b", "empty place"),
    ],
)
def test_a_bad_range_is_refused_with_what_is_allowed(text, told):
    with pytest.raises(UserError) as refused:
        parameter_of("key", text)
    assert told in str(refused.value)
    assert f"key={text}" in str(refused.value)


def test_numbers_are_short_and_stay_inside():
    wide = parameter_of("key", "0.0001..0.01..log")
    assert wide.text(0.00123456789) == "0.001235"
    assert wide.text(0.0100000001) == "0.01"
    narrow = parameter_of("key", "1000.0..1000.1")
    assert float(narrow.text(1000.01234567)) == pytest.approx(1000.01235, abs=1e-4), "narrow: more digits"
    grid = parameter_of("key", "0.1..0.3..0.1")
    assert [grid.text(place) for place in range(grid.count)] == ["0.1", "0.2", "0.3"], "no dust"
    assert [grid.place(text) for text in ("0.1", "0.2", "0.3")] == [0, 1, 2]
    assert wide.text(1.0).isdigit() is False
    assert parameter_of("key", "8.0..64").text(8.0) == "8.0", "a fraction looks like one"


def test_a_trial_is_a_command_line_for_each_seed():
    space = Space.read(
        "vdn,qmix", "matrix_games", ["lr=0.001..0.01", "t_max=9", "seed=0..1", "env_args.x=1..3"]
    )
    chosen = {"--config": "qmix", "lr": "0.005", "env_args.x": "2"}
    assert [" ".join(run.words) for run in space.runs(chosen)] == [
        f"--config=qmix --env-config=matrix_games with lr=0.005 t_max=9 seed={seed} env_args.x=2"
        for seed in (0, 1)
    ]
    assert space.command(chosen).endswith(
        "--config=qmix --env-config=matrix_games with lr=0.005 t_max=9 seed=0..1 env_args.x=2"
    )
    for run in space.runs(chosen):
        assert parse(run.words).runs == ()
    assert len(parse(space.command(chosen).split()[2:]).runs) == 2, "can be pasted: a sweep over the seeds"
    probes = space.combinations()
    assert {probe["--config"] for probe in probes} == {"qmix", "vdn"}
    assert {probe["lr"] for probe in probes} == {"0.001", "0.004438", "0.01"}
    assert Space.read("vdn", "matrix_games", ["lr=0.1..0.2"]).runs({"lr": "0.15"})[0].typed == ("lr=0.15",)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("--search=tpe lr=0.001", ["nothing is searched", "lr=0.0001..0.01..log"]),
        ("--search=tpe seed=0..3", ["nothing is searched"]),
        ("--search=tpe lr=0.01..0.001", ["lr=0.01..0.001", "Type lr=0.001..0.01"]),
        (
            "--search=tpe lr=0.0..0.1",
            ["lr = 0.0 (on the command line): must be greater than 0", "No run was"],
        ),
        ("--search=tpe gamma=0.9..1.5", ["gamma = 1.5", "less than or equal to 1"]),
        (
            "--search=tpe batch_size=4.0..8",
            ["batch_size = 5.528 (on the command line): must be a whole number"],
        ),
        ("--search=tpe lrr=0.1..0.2", ["lrr", "Did you mean 'lr'"]),
        ("--search=tpe optimizer=adam,sgd", ["optimizer = 'sgd'", "adam"]),
        ("--search=tpe lr=0.1..0.2 seed=0,-1", ["seed = -1"]),
        ("--search=tpe lr=0.1..0.2 lr=0.3", ["lr is given twice"]),
        ("--search=tpe t_max=9..99", ["t_max=9..99: a search has one value of this"]),
        ("--search=tpe lr=0.1..0.2 env_args.map_name=two_step,climbing", ["env_args.map_name", "one value"]),
        ("--search=tpee lr=0.1..0.2", ["--search", "'tpee'", "tpe"]),
        ("--trials=3 lr=0.1..0.2", ["--trials belongs to a search: add --search=tpe"]),
        ("--search=tpe --trials=0 lr=0.1..0.2", ["--trials", "'0'"]),
        ("--search=tpe --objective=config.lr lr=0.1..0.2", ["--objective=config.lr is not one metric"]),
        ("--search=tpe --objective=test_return_mean lr=0.1..0.2", ["metrics.test_return_mean"]),
        ("--search=tpe --objective=reached(metrics.a,1) lr=0.1..0.2", ["is not one metric"]),
        ("--search=tpe --trials=999999 lr=0.1..0.2", ["999,999 runs", "--yes"]),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_made(typed, told, tmp_path, capsys):
    pytest.importorskip("optuna", reason="needs requirements/search.txt")
    words = [f"local_results_path={tmp_path / 'results'}", *typed.split()]
    assert main(["--config=qmix", "--env-config=matrix_games", "with", *words]) == 2
    message = " ".join(capsys.readouterr().err.split())
    for part in told:
        assert part in message
    assert not list(tmp_path.iterdir())


def test_a_missing_optuna_is_told_with_its_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    words = ["--config=vdn", "--env-config=matrix_games", "--search=tpe", "with", "lr=0.1..0.2"]
    assert main([*words, f"local_results_path={tmp_path / 'results'}"]) == 2
    assert "pip install -r requirements/search.txt" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_dry_run_prints_what_is_searched(tmp_path, capsys):
    pytest.importorskip("optuna", reason="needs requirements/search.txt")
    words = [
        "--search=random",
        "--trials=5",
        "--dry-run",
        "--minimise",
        "--objective=late(metrics.loss)",
        "with",
    ]
    words += ["lr=0.001..0.1..log", "seed=0..2", "optimizer=adam,rmsprop"]
    assert main(["--config=qmix", "--env-config=matrix_games", *words]) == 0
    assert capsys.readouterr().out == (
        "lr         0.001 to 0.1, logarithmic\n"
        "optimizer  one of adam, rmsprop\n"
        "5 trials of 3 runs each, proposed by random; the least late(metrics.loss) is best\n"
    )
