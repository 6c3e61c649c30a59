"""What a person can get wrong: one screen, the key or file, what is allowed, and nothing left behind."""

import importlib
from pathlib import Path

import pytest
import torch

from cohort.cli import main
from cohort.configuration import plan as planning
from cohort.configuration.roles import ROLES
from cohort.experiment import Experiment
from cohort.recording.checkpoints import save_atomically
from cohort.registry import Registry
from cohort.trainers.team import TeamTrainer
from tests import harness

BASE = b"extends: value\nlearner: q_learner\nmixer: vdn\n"


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def refused(results, capsys):
    """Runs a command line that must be refused, with `results` as its results folder; the message."""

    def run(*words: str, with_results: bool = True) -> str:
        words = [*words]
        if with_results:
            words += [*([] if "with" in words else ["with"]), f"local_results_path={results}"]
        capsys.readouterr()
        before = set(results.iterdir()) if results.exists() else None
        assert main(words) == 2
        message = capsys.readouterr().err
        assert message.startswith("error: ")
        assert "Traceback" not in message
        assert len(message.splitlines()) <= 24
        assert max(map(len, message.splitlines())) <= 200
        assert (set(results.iterdir()) if results.exists() else None) == before, "something was left behind"
        return " ".join(message.split())

    return run


def qmix(*typed: str, env: str = "matrix_games") -> list[str]:
    return ["--config=qmix", f"--env-config={env}", "with", "use_cuda=False", *typed]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        # keys
        ("t_maxx=3", ["'t_maxx' (= 3, on the command line)", "Did you mean 't_max'?"]),
        ("zzzz=3", ["unknown key 'zzzz'", "Allowed:", "batch_size", "t_max"]),
        ("env_args.map_nam=3m", ["'env_args.map_nam'", "Did you mean 'env_args.map_name'?", "env_args.payoff"]),
        ("env_args.=3", ["'env_args.'", "env_args.map_name"]),
        ("map_name=climbing", ["'map_name'", "type env_args.map_name=climbing"]),
        ("map_nme=climbing", ["'map_nme'", "Did you mean 'env_args.map_name'?"]),
        ("meta_interval=3", ["meta_interval = 3 (on the command line)", "belongs to trainer 'meta_mixing'"]),
        ("t_max", ["'t_max' is not of the form key=value", "t_max=<value>"]),
        ("=3", ["'=3' is not of the form key=value"]),
        ("runner.workers=3", ["'runner.workers=3'", "only under env_args", "env_args.map_name=3m"]),
        ("env_args={1:2}", ["'env_args.1' (= 2, on the command line)", "env_args.map_name"]),
        ("env_args=3m", ["env_args = '3m'", "must be a mapping", "env_args.map_name=3m"]),
        # types
        ("use_cuda=maybe", ["use_cuda = 'maybe'", "True or False"]),
        ("use_cuda=1", ["use_cuda = 1", "True or False"]),
        ("t_max=1.5", ["t_max = 1.5 (on the command line): must be a whole number"]),
        ("t_max=1e400", ["t_max = inf", "whole number"]),
        ("t_max=True", ["t_max = True", "whole number"]),
        ("t_max=", ["t_max = ''", "whole number"]),
        ("lr=abc", ["lr = 'abc'", "must be a number", "learning rate"]),
        ("lr=True", ["lr = True", "must be a number"]),
        ("lr=None", ["lr = None", "must be a number"]),
        ("label=True", ["label = True", "must be text"]),
        ("seed=[1,2]", ["seed = [1, 2]", "whole number"]),
        ("mixer=3", ["mixer = 3 (on the command line): must be a name", "Known: ", "qmix"]),
        # ranges
        ("seed=-1", ["seed = -1", "greater than or equal to 0"]),
        ("seed=9223372036854775808", ["seed = 9223372036854775808", "less than 9223372036854775808"]),
        ("lr=0", ["lr = 0", "greater than 0"]),
        ("lr=1e999", ["lr = inf", "finite"]),
        ("gamma=1.01", ["gamma = 1.01", "less than or equal to 1"]),
        ("batch_size=0", ["batch_size = 0", "greater than or equal to 1"]),
        ("torch_threads=100000", ["torch_threads = 100000", "1024"]),
        ("name=a/b", ["name = 'a/b'", "without / and \\"]),
        ("local_results_path=", ["local_results_path = ''", "must not be empty"]),
        ("buffer_dtype=flaot16", ["buffer_dtype = 'flaot16'", "Did you mean 'float16'", "'bfloat16'"]),
        ("hypernet_layers=3", ["hypernet_layers = 3", "must be 1 or 2"]),
        ("batch_size=64 buffer_size=32", ["batch_size (64)", "buffer_size (32)", "Raise buffer_size"]),
        ("buffer_size=1e13", ["too large for this machine", "buffer_size"]),
        ("test_nepisode=1e22", ["too large for this machine", "test_nepisode"]),
        ("evaluate=True", ["evaluate=True needs checkpoint_path=<run folder"]),
        # components
        ("learner=qlearner", ["unknown learner 'qlearner'", "Did you mean 'q_learner'", "mnmpg_learner"]),
        ("env=sc2sim", ["unknown env 'sc2sim'", "'sc2_sim'", "package.module:Class"]),
        ("learner=no_such.place:Mine", ["learner 'no_such.place:Mine' cannot be imported", "No module named"]),
        ("learner=:Mine", ["learner ':Mine' cannot be imported"]),
        ("learner=cohort.learners.value.q_learner:QLerner", ["no class 'QLerner'", "Did you mean 'QLearner'"]),
        ("learner=cohort.cli:main", ["'cohort.cli' has no class 'main'"]),
        ("learner=cohort.cli:Command", ["Command needs an attribute Settings"]),
        ("mixer=mnmpg", ["mixer needs the key 'hierarchy_dim'", "type hierarchy_dim=<value>"]),
        ("mixer=mnmpg hierarchy_dim=2 concat_ori_s=True decoder_bn=True", ["Choose another mixer"]),
        # the environment's own
        ("env_args.map_name=twostep", ["'twostep'", "Did you mean 'two_step'?", "climbing", "custom"]),
        ("env_args.map_name=custom", ["map_name=custom and payoff"]),
        ("env_args.payoff=[[1,0],[0,1]]", ["map_name=custom and payoff"]),
        ("env_args.map_name=custom env_args.payoff=[[1,2],[3]]", ["payoff", "equal lengths"]),
        ("env_args.map_name=custom env_args.payoff=[[1,2,3],[3,4,5]]", ["payoff", "every side", "(2, 3)"]),
        ("env_args.map_name=custom env_args.payoff=[[1e999,2],[3,4]]", ["payoff must be finite"]),
        ("env_args.map_name=custom env_args.payoff=[[1e400,2],[3,-1e400]]", ["payoff must be finite"]),
        ("env_args.map_name=custom env_args.payoff=[['a']]", ["payoff", "numbers"]),
        ("env_args.map_name=custom env_args.payoff=[]", ["payoff", "every side"]),
        # models
        ("checkpoint_path=/no/such/run", ["checkpoint_path=/no/such/run: there is no such folder"]),
        ("checkpoint_path=run.py", ["checkpoint_path=run.py is a file"]),
        (f"checkpoint_path={'x' * 5000}", ["there is no such folder"]),
    ],
)  # fmt: skip
def test_a_mistake_after_with_is_one_screen_that_tells_what_to_type(refused, typed, told):
    message = refused(*qmix(*typed.split()), with_results="local_results_path" not in typed)
    for part in told:
        assert part in message


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--config=qmx", "--env-config=matrix_games"], ["--config=qmx", "Did you mean 'qmix'", "vdn"]),
        (["--config=qmix", "--env-config=sc3"], ["--env-config=sc3", "Did you mean 'sc2'", "matrix_games"]),
        (["--config=qmix.yaml", "--env-config=sc2_sim"], ["no such file", "Did you mean 'qmix'"]),
        ([f"--config={'x' * 5000}", "--env-config=sc2_sim"], ["unknown name", "qmix"]),
        (["--env-config=matrix_games"], ["--config is missing", "qmix_large", "usage: python run.py"]),
        (["--config=qmix"], ["--env-config is missing", "sc2_sim", "usage: python run.py"]),
        ([], ["--config is missing"]),
        (["--config"], ["--config", "expected one argument", "usage:"]),
        (["--confg=qmix", "--env-config=sc2_sim"], ["'--confg=qmix'", "Did you mean '--config'", "usage:"]),
        (["--config=qmix", "--env-config=sc2_sim", "t_max=5"], ["'t_max=5'", "with t_max=5"]),
        (["--config=qmix", "--env-config=sc2_sim", "print_confg"], ["'print_confg'", "Known: print_config"]),
        (["--resume=results/x", "--config=qmix"], ["leave out --config"]),
        (["--config=qmix", "--env-config=sc2_sim", "with", "env_args.map_name=4m"],
         ["env_args.map_name = '4m' (on the command line)", "unknown map '4m'. SMAC's maps: ", "8m", "2s3z"]),
        (["--config=mnmpg", "--env-config=matrix_games", "with", "meta_episodes=30", "meta_batch_size_run=8"],
         ["meta_episodes must be a multiple of meta_batch_size_run"]),
        (["--config=qmix", "--env-config=matrix_games", "with", "trainer=meta_mixing", *harness.TINY_META.split(),
          "meta_start=0", "ratio_one=False", "count_all_steps=True", "append_all_meta=True"],
         ["trainer = meta_mixing (on the command line)", "requires meta_step", "learner can be: mnmpg_learner"]),
    ],
)  # fmt: skip
def test_a_mistake_before_with_is_one_screen_that_tells_what_to_type(refused, words, told):
    message = refused(*words, with_results="--resume=results/x" not in words and "t_max=5" not in words)
    for part in told:
        assert part in message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a: [1, 2", ["not valid YAML", "line 1"]),
        (b"- a\n- b\n", ["`key: value`", "a list"]),
        (b"just a sentence", ["`key: value`", "one str"]),
        (b"lr: 1\ngamma: 0.9\nlr: 2\n", ["not valid YAML", "key 'lr' stands twice", "line 3"]),
        (b"env_args: {map_name: a, map_name: b}", ["key 'map_name' stands twice"]),
        (b"1: 2", ["the key 1 must be a word"]),
        (b"{[1, 2]: 3}", ["not valid YAML", "a key must be a word"]),
        (b"label: 2024-02-31", ["not valid YAML"]),
        (b"label: \xff\xfe", ["not UTF-8"]),
        (b"a: \x00", ["not valid YAML"]),
        (b"env_args: 3m", ["env_args = '3m'", "mine.yaml"]),
        (BASE + b"env_args: {1: 2}", ["'env_args.1'", "mine.yaml"]),
        (b"a: !!python/object/apply:os.system [date]", ["not valid YAML", "could not determine a constructor"]),
        (b"a: &a [*a]", ["not valid YAML"]),
        (b"a: " + b"[" * 5000, ["not valid YAML"]),
        (BASE + b"learning_rate: 3", ["unknown key 'learning_rate'", "mine.yaml"]),
        (BASE + b"payoff: 3", ["'payoff'", "mine.yaml", "env_args.payoff"]),
        (b"extends: value\nlearner: q_learner\nmixr: vdn",
         ["no mixer is chosen", "Is 'mixr' (in ", "mine.yaml", "Known: "]),
        (BASE + b"label: 2024-02-03", ["label = datetime.date(2024, 2, 3) (in ", "mine.yaml", "must be text"]),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named_with_the_place(refused, tmp_path, content, told):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    message = refused(f"--config={path}", "--env-config=matrix_games")
    for part in told:
        assert part in message


def test_a_folder_and_an_unreadable_file_are_no_configuration(refused, tmp_path, monkeypatch):
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    assert f"{folder}: cannot be read: Is a directory" in refused(
        f"--config={folder}", "--env-config=matrix_games"
    )
    secret = tmp_path / "secret.yaml"
    secret.write_text("lr: 1")

    def deny(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", deny)
    assert "Permission denied" in refused(f"--config={secret}", "--env-config=matrix_games")


def test_results_below_a_file_are_refused_before_anything_is_made(refused, tmp_path):
    (tmp_path / "file").write_text("")
    message = refused(*qmix(f"local_results_path={tmp_path}/file/results"), with_results=False)
    assert f"{tmp_path}/file is a file" in message
    assert "local_results_path=<folder>" in message


def test_a_long_value_is_cut_and_a_long_list_of_keys_is_wrapped(refused):
    payoff = str([[0] * 3000]).replace(" ", "")
    assert "..." in refused(*qmix(f"seed={payoff}"))


def test_a_missing_tensorboard_is_told_before_a_folder_is_made(refused, monkeypatch):
    real = importlib.import_module

    def without(name, *args):
        if name == "torch.utils.tensorboard":
            raise ImportError("No module named 'tensorboard'")
        return real(name, *args)

    monkeypatch.setattr(importlib, "import_module", without)
    message = refused(*qmix("use_tensorboard=True"))
    assert "pip install" in message
    assert "use_tensorboard=False" in message


def test_a_missing_extra_is_told_with_its_command_and_stops_nobody_else(
    refused, monkeypatch, capsys, tmp_path
):
    (tmp_path / "needs_more.py").write_text("import a_package_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    entries = {**ROLES["mixer"].entries, "fancy": "needs_more:Fancy"}
    registry = Registry("mixer", entries, {"fancy": "requirements/fancy.txt"})
    monkeypatch.setitem(ROLES, "mixer", registry)
    message = refused(*qmix("mixer=fancy"))
    assert "'a_package_nobody_has', which is not installed" in message
    assert "pip install -r requirements/fancy.txt" in message
    assert main(["--config=qmix", "--env-config=matrix_games", "print_config"]) == 0


def test_ctrl_c_while_a_run_is_being_prepared_is_no_traceback(monkeypatch, capsys):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(planning, "make_plan", interrupt)
    assert main(["--config=qmix", "--env-config=matrix_games"]) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_an_error_of_the_program_keeps_its_traceback(monkeypatch):
    """Only what the user can mend becomes a message."""

    def fail(*args):
        raise RuntimeError("a bug")

    monkeypatch.setattr(TeamTrainer, "make_runner", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        main(qmix())


# --- models to load


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of vdn on climbing, with a model."""
    results = tmp_path_factory.mktemp("trained")
    typed = f"t_max=8 save_model=True env_args.map_name=climbing local_results_path={results}"
    assert main(harness.words("vdn", "matrix_games", typed)) == 0
    return harness.only_run(results)


def vdn(*typed: str) -> list[str]:
    return [*harness.words("vdn", "matrix_games", "env_args.map_name=climbing"), *typed]


def test_a_folder_without_models_lists_what_is_there(refused, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "notes.txt").write_text("")
    message = refused(*vdn(f"checkpoint_path={tmp_path}/old"))
    assert "no saved model" in message
    assert "notes.txt" in message
    assert "save_model=True" in message


@pytest.mark.parametrize("cut", [0, 1, 100, 3000])
def test_a_torn_model_is_named(refused, trained, tmp_path, cut):
    whole = (trained / "models" / "8" / "learner.pt").read_bytes()
    torn = tmp_path / "run" / "models" / "8" / "learner.pt"
    torn.parent.mkdir(parents=True)
    torn.write_bytes(whole[:cut])
    message = refused(*vdn(f"checkpoint_path={tmp_path}/run"))
    assert str(torn) in message
    assert "cannot be" in message


def test_a_checkpoint_in_a_models_place_is_refused(refused, trained, tmp_path):
    wrong = tmp_path / "run" / "models" / "8" / "learner.pt"
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes((trained / "checkpoint.pt").read_bytes())
    assert "a model is needed" in refused(*vdn(f"checkpoint_path={tmp_path}/run"))
    torch.save({"weights": torch.zeros(2)}, wrong)
    assert "not one that this program saved" in refused(*vdn(f"checkpoint_path={tmp_path}/run"))


@pytest.mark.parametrize("other", ["qmix", "mnmpg", "rnn_hidden_dim=9", "env_args.map_name=two_step"])
def test_a_model_of_another_kind_is_refused(refused, trained, other):
    algorithm = other if "=" not in other else "vdn"
    typed = harness.words(algorithm, "matrix_games", "env_args.map_name=climbing")
    message = refused(*typed, *([other] if "=" in other else []), f"checkpoint_path={trained}")
    assert "another algorithm, map or network size" in message
    assert str(trained) in message


# --- resume


def test_resume_of_no_run_names_the_runs_nearby(refused, trained):
    message = refused(f"--resume={trained.parent / 'missing'}", with_results=False)
    assert "does not exist" in message
    assert trained.name in message
    assert "is a file" in refused(f"--resume={trained}/config.yaml", with_results=False)
    assert "no config.yaml" in refused(f"--resume={trained}/models", with_results=False)


def test_resume_without_a_checkpoint_says_so(refused, trained, tmp_path):
    for name in ("config.yaml", "metrics.jsonl"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    assert f"no checkpoint at {tmp_path}/checkpoint.pt" in refused(f"--resume={tmp_path}", with_results=False)


def test_resume_of_a_torn_checkpoint_or_one_of_another_run_says_so(refused, trained, tmp_path):
    for name in ("config.yaml", "metrics.jsonl"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes((trained / "checkpoint.pt").read_bytes()[:5000])
    assert "damaged" in refused(f"--resume={tmp_path}", "with", "t_max=80", with_results=False)
    state = harness.experiment("qmix", "matrix_games").state_dict()
    recorder = {"metrics_position": 0, "wall_time": 0.0, "t_env": 0}
    save_atomically({**state, "recorder": recorder}, checkpoint)
    assert "does not fit this run" in refused(f"--resume={tmp_path}", "with", "t_max=80", with_results=False)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("lr=0.1", "lr = 0.1 (on the command line): a resumed run keeps its configuration"),
        ("env_args.map_name=penalty", "env_args"),
        ("tmax=9", "Did you mean 't_max'"),
        ("t_max=7", "is finished: 8 of 7 steps"),
        ("t_max=8", "To train it further: with t_max=<more>"),
        ("t_max=-3", "t_max = -3 (on the command line)"),
    ],
)
def test_resume_with_what_may_not_change_is_refused_and_changes_nothing(refused, trained, typed, told):
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    assert told in refused(f"--resume={trained}", "with", typed, with_results=False)
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before


def test_resume_of_a_run_that_is_still_going_touches_nothing(refused, trained):
    import fcntl

    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    with open(trained / "metrics.jsonl", "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        message = refused(f"--resume={trained}", "with", "t_max=80", with_results=False)
    assert "still going" in message
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before


# --- real processes


def test_the_process_itself_ends_with_status_2_and_no_traceback(tmp_path):
    for words in (qmix("t_maxx=3"), ["--config=qmx", "--env-config=sc2_sim"], [f"--resume={tmp_path}/no"]):
        ended = harness.run_py(*words)
        assert ended.returncode == 2
        assert ended.stdout == ""
        assert ended.stderr.startswith("error: ")
        assert "Traceback" not in ended.stderr


def test_list_and_help_print_every_name(capsys):
    assert main(["--list"]) == 0
    listing = capsys.readouterr().out
    for name in (*harness.ALGORITHMS, "matrix_games", "sc2_sim", "two_step", "3m", "27m_vs_30m"):
        assert f"  {name} " in listing
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "print_config" in capsys.readouterr().out


def test_options_may_follow_the_word_with(capsys):
    words = ["print_config", "with", "seed=7", "--config=vdn", "t_max=2e3", "--env-config=matrix_games"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "seed: 7\n" in printed
    assert "t_max: 2000\n" in printed
    assert "name: vdn\n" in printed


def test_nothing_is_built_for_print_config(monkeypatch, tmp_path):
    def refuse(*args, **kwargs):
        raise AssertionError("built")

    monkeypatch.setattr(Experiment, "__init__", refuse)
    assert main(["print_config", *qmix(f"local_results_path={tmp_path}/results")]) == 0
    assert not (tmp_path / "results").exists()
