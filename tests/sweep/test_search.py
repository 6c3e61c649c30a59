"""Searches over runs that take no time, and over real processes that are killed."""

import json
import math
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
import yaml

from cohort.cli import main, parse
from cohort.configuration.updates import parse_updates
from cohort.errors import UserError
from cohort.recording.metrics import MetricsFile
from cohort.sweep import session
from cohort.sweep.folder import SearchDescription, SweepFolder, SweepRun, read_description
from cohort.sweep.journal import Journal
from cohort.sweep.loop import Sweep
from cohort.sweep.processes import Ending
from cohort.sweep.search.search import Search
from cohort.sweep.search.summary import best_of, counts, summary
from tests.sweep.support import Place, ends, kill, wait_for

pytest.importorskip("optuna", reason="needs requirements/search.txt")

GOING_ON = SimpleNamespace(requested=False, signal_name=None)
HALF = 6  # trials before the kill of tests with 20


class Kill(BaseException):
    """What a test throws where a kill is to strike."""


class Bench:
    """A search in a folder, carried out by runs that end at once: what they measure is a function of what was typed."""

    def __init__(self, root, typed, *, trials=20, sampler="tpe", measure=None, **more):
        root.mkdir(parents=True)
        self.folder = SweepFolder(root / "search__x")
        (self.folder.root / "output").mkdir(parents=True)
        self.measure = measure or (lambda config: -((math.log10(config["lr"]) + 3) ** 2))
        alike = SweepRun((), "vdn", "two_step", 1, 100, threads=1, cuda=False)
        told = {"objective": None, "minimise": False, "config": "vdn", "env_config": "matrix_games"} | more
        self.search = SearchDescription(
            sampler, trials, typed=tuple(typed.split()), alike={"vdn": alike}, **told
        )
        self.jobs, self.retry_failed, self.started, self.kill_at = 1, False, [], None

    @contextmanager
    def journal(self):
        with Journal(self.folder.journal, 0, Search(self.search, None, None).space.runs_per_trial) as journal:
            yield journal

    def go(self):
        """One session; the trials afterwards."""
        with self.journal() as journal:
            search = Search(self.search, journal, self.folder.root.parent)
            description = SimpleNamespace(runs=search.known, directory=str(self.folder.root))
            screen = SimpleNamespace(
                due=False, changed=lambda *more: None, add=lambda run: None, close=lambda: None
            )
            sweep = Sweep(self.folder, description, journal, Instant(self), screen, search)
            sweep.take_over(self.retry_failed)
            sweep.run(GOING_ON)
            return list(journal.trials)

    @property
    def lines(self):
        return [json.loads(line) for line in self.folder.journal.read_text().splitlines()]


class Instant:
    """A pool whose runs have ended when they are asked for."""

    def __init__(self, bench):
        self.bench, self.going = bench, {}

    def has_room(self, run):
        return len(self.going) < self.bench.jobs

    def start(self, number, run, task):
        bench = self.bench
        bench.started.append(number)
        if len(bench.started) == bench.kill_at:
            raise Kill
        config = parse_updates(run.words[3:])
        folder = bench.folder.root.parent / f"run{number}"
        folder.mkdir(exist_ok=True)
        with open(bench.folder.output(number), "a") as output:
            output.write(f"run: {folder}\n")
        value = bench.measure(config)
        code = 0
        state = "COMPLETED"
        if value is None:
            code, state = 1, "FAILED"
        elif math.isnan(value):
            code, state = 1, "DIVERGED"
        (folder / "config.yaml").write_text(yaml.safe_dump({"name": "vdn", "t_max": 100}))
        (folder / "status.json").write_text(json.dumps({"state": state, "t_env": 100}))
        (folder / "metrics.jsonl").unlink(missing_ok=True)
        file = MetricsFile(folder / "metrics.jsonl")
        for step in range(10):
            metrics = {"test_return_mean": (value or 0) + step - 9, "loss": 1.0}
            file.append(step, metrics, updates=1, episode=1, wall_time=1)
        file.close()
        self.going[number] = code
        return {}

    def ended(self):
        done = [Ending(number, code) for number, code in self.going.items()]
        self.going.clear()
        return done

    def stop(self, number):
        pass


LR = "lr=0.00001..0.1..log gamma=0.9..0.99 mixer=qmix,vdn batch_size=4..16"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("cohort.sweep.loop.POLL_SECONDS", 0)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("kill_at", [1, HALF + 1, 18])
def test_a_search_that_was_killed_proposes_what_it_would_have_proposed(tmp_path, sampler, kill_at):
    whole = Bench(tmp_path / "whole", LR, sampler=sampler).go()
    killed = Bench(tmp_path / "killed", LR, sampler=sampler)
    killed.kill_at = kill_at
    with pytest.raises(Kill):
        killed.go()
    killed.kill_at = None
    assert killed.go() == whole
    assert len(whole) == 20
    # the run that was killed is begun again, no other
    assert killed.started == sorted([*range(20), kill_at - 1])


def test_a_kill_between_a_run_and_its_trial_loses_nothing(tmp_path):
    bench = Bench(tmp_path / "a", LR, trials=4)
    whole = bench.go()
    lines = bench.folder.journal.read_bytes().splitlines(keepends=True)
    for cut in range(1, len(lines)):
        if json.loads(lines[cut - 1]).get("trial") or json.loads(lines[cut - 1])["state"] != "completed":
            continue
        bench.folder.journal.write_bytes(b"".join(lines[:cut]) + lines[cut][:9])
        bench.started.clear()
        assert bench.go() == whole
        assert len(bench.started) == 3 - json.loads(lines[cut - 1])["run"] + 1


def test_tpe_finds_what_is_good_and_chance_does_not(tmp_path):
    for seed, sampler in enumerate(("tpe", "random")):
        trials = Bench(tmp_path / sampler, "lr=0.00001..0.1..log", trials=40, sampler=sampler).go()
        late = [abs(math.log10(float(trial.values["lr"])) + 3) for trial in trials[20:]]
        assert (sum(late) / len(late) < 0.7) == (sampler == "tpe"), "chance is 1 away in the mean"
        assert seed == 0 or len({trial.values["lr"] for trial in trials}) == 40


def test_a_trial_is_worth_the_mean_over_its_seeds(tmp_path):
    bench = Bench(
        tmp_path / "a", "lr=0.1..0.2 seed=3..5", trials=4, measure=lambda config: 10.0 * config["seed"]
    )
    bench.jobs = 2
    for trial in bench.go():
        assert trial.outcome.value == 40
        assert sorted(trial.outcome.values) == [30, 40, 50]
        assert trial.outcome.measure == "test return"
    assert len(bench.started) == 12


@pytest.mark.parametrize(
    ("objective", "value"),
    [
        ("metrics.test_return_mean", 5),
        ("late(metrics.test_return_mean)", 3),
        ("max(metrics.test_return_mean)", 5),
        ("min(metrics.test_return_mean)", -4),
    ],
)
def test_the_objective_is_a_field_of_a_run(tmp_path, objective, value):
    bench = Bench(tmp_path / "a", "lr=0.1..0.2", trials=1, objective=objective, measure=lambda config: 5)
    (trial,) = bench.go()
    assert trial.outcome.value == value
    assert trial.outcome.measure == objective


def test_small_values_can_be_good(tmp_path):
    bench = Bench(
        tmp_path / "a", "lr=0.0..1.0", trials=30, minimise=True, measure=lambda config: config["lr"]
    )
    trials = bench.go()
    best = best_of(trials, minimise=True)
    assert trials[best].outcome.value == min(trial.outcome.value for trial in trials) < 0.1
    text = summary(bench.search, Search(bench.search, None, None).space, trials)
    assert text.splitlines()[1].split()[0] == str(best + 1), "the best stands first"


def trouble(config):
    """Large rates diverge; one value of another key crashes."""
    if config["mixer"] == "iql":
        return None
    return math.nan if config["lr"] > 0.01 else config["lr"]


def test_what_diverged_or_failed_is_told_as_such(tmp_path):
    bench = Bench(
        tmp_path / "a", "lr=0.0001..1.0..log mixer=vdn,qmix,iql seed=0..1", trials=40, measure=trouble
    )
    trials = bench.go()
    for trial in trials:
        expected = (
            "failed"
            if trial.values["mixer"] == "iql"
            else "diverged" if float(trial.values["lr"]) > 0.01 else "completed"
        )  # fmt: skip
        assert trial.outcome.state == expected
        assert (trial.outcome.value is not None) == (expected == "completed")
    late = [trial.outcome.state for trial in trials[20:]]
    assert late.count("diverged") <= 5, "TPE stays away from where trials diverge"
    told = counts(trials, 40)
    states = [trial.outcome.state for trial in trials]
    assert told == (
        f"{states.count('completed')} completed, {states.count('diverged')} diverged, "
        f"{states.count('failed')} failed of 40 trials"
    )
    text = summary(bench.search, Search(bench.search, None, None).space, trials)
    assert "2 of 2 runs diverged" in text
    assert "ended with status 1" in text or "run:" in text

    with bench.journal() as journal:
        search = Search(bench.search, journal, tmp_path)
        assert search.states == {"completed", "failed"}
    # what failed can be carried out again, and then counts anew
    bench.retry_failed, bench.measure = True, lambda config: 1.0
    assert counts(bench.go(), 40) == "40 completed of 40 trials"


def test_optuna_is_told_every_trial(tmp_path, monkeypatch):
    import optuna

    trials = Bench(tmp_path / "a", "lr=0.001..1.0..log mixer=vdn,iql", trials=12, measure=trouble).go()
    seen = []
    monkeypatch.setattr(
        optuna.study.Study, "add_trial", lambda study, trial: seen.append((trial.state.name, trial.value))
    )
    from cohort.sweep.search.samplers import propose

    parameters = Search(Bench(tmp_path / "b", "lr=0.001..1.0..log mixer=vdn,iql").search, None, None).space
    propose("tpe", parameters.parameters, [*trials, replace(trials[0], outcome=None)], minimise=False)
    names = {"completed": "COMPLETE", "diverged": "PRUNED", "failed": "FAIL"}
    assert seen == [
        *((names[trial.outcome.state], trial.outcome.value) for trial in trials),
        ("RUNNING", None),
    ]


def test_a_metric_that_is_not_there_stops_the_search_at_its_first_trial(tmp_path):
    bench = Bench(tmp_path / "a", "lr=0.1..0.2", objective="metrics.test_retrun_mean")
    with pytest.raises(
        UserError, match=r"Did you mean 'test_return_mean'\? It logged: loss, test_return_mean"
    ):
        bench.go()
    assert bench.started == [0]


def test_a_damaged_journal_is_refused(tmp_path):
    bench = Bench(tmp_path / "a", "lr=0.1..0.2", trials=2)
    bench.go()
    whole = bench.folder.journal.read_text()
    for line in (
        '{"trial": 9, "values": {}}',
        '{"trial": 3, "state": "completed", "value": 1}',
        '{"trial": 1}',
    ):
        bench.folder.journal.write_text(f"{whole}{line}\n")
        with pytest.raises(UserError, match="is no entry of a sweep's journal"):
            bench.go()


# --- real processes


def test_a_search_is_killed_and_resumed_and_its_best_can_be_pasted(tmp_path, capsys, monkeypatch):
    place = Place(tmp_path)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    slow = [place.trouble / f"VDNMixer-2-{seed}.slow" for seed in (0, 1)]
    for file in slow:
        file.touch()
    words = place.words("--search=tpe", "--trials=2", "--jobs=2", typed="seed=0..1 lr=0.0001..0.01..log")
    process = place.start(*words)
    folder = lambda: next(iter(place.results.glob("search__*")), None)  # noqa: E731
    runs = lambda: [path for path in place.results.iterdir() if not path.name.startswith("search__")]  # noqa: E731
    wait_for(lambda: folder() and sum((run / "checkpoint.pt").is_file() for run in runs()) == 2, process)
    kill(process)
    for file in slow:
        file.unlink()
    before = [json.loads(line) for line in (folder() / "runs.jsonl").read_text().splitlines()]
    assert [line["trial"] for line in before if "trial" in line] == [1]

    assert main([f"--resume={folder()}", "--search=random"]) == 2
    assert "a resumed search is what it was" in capsys.readouterr().err
    process = place.start(f"--resume={folder()}", "--trials=3", "--jobs=2")
    status, output = ends(process)
    assert status == 0, output
    assert "3 completed of 3 trials" in output
    assert read_description(SweepFolder(folder())).search.trials == 3
    assert len(runs()) == 6, "no run was begun twice"
    sessions = sorted(len((run / "command.txt").read_text().splitlines()) for run in runs())
    assert sessions == [1, 1, 1, 1, 2, 2], "the killed ones went on from their checkpoints"
    text = (folder() / "summary.txt").read_text()
    assert "runs: 6 completed" in text
    (command,) = [line for line in text.splitlines() if line.startswith("  python run.py")]
    assert len(parse(command.split()[2:]).runs) == 2

    journal = (folder() / "runs.jsonl").read_bytes()
    assert main([f"--resume={folder()}"]) == 0, "nothing is left to do"
    assert (folder() / "runs.jsonl").read_bytes() == journal


def test_a_sweep_is_no_search(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(session, "_carry_out", lambda *more: pytest.fail("nothing is carried out"))
    from cohort.sweep.folder import Description, write_description

    write_description(SweepFolder(tmp_path), Description("", str(tmp_path), {}, ()))
    assert main([f"--resume={tmp_path}", "--trials=9"]) == 2
    assert "--trials belongs to a search" in capsys.readouterr().err
