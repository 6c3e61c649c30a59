"""The jobs beside training: the first word after `run.py` names one."""

from collections.abc import Sequence
from importlib import import_module

from cohort.errors import UserError

# word -> ("module:function of the words that follow, returning the exit status", sentence for --help)
COMMANDS: dict[str, tuple[str, str]] = {
    "ls": (
        "cohort.analysis.ls:main",
        "list runs: columns, sorting, conditions, groups; as a table, Markdown or CSV",
    ),
    "show": ("cohort.analysis.show:main", "one run on one page"),
    "diff": ("cohort.analysis.diff:main", "in what runs differ"),
    "plot": ("cohort.analysis.plot:main", "learning curves over seeds, with intervals"),
    "figure": ("papers.figure:main", "a published figure, from recorded runs"),
    "claims": ("papers.claims:main", "what a paper says, held against recorded runs"),
    "table": ("papers.table:main", "a published table, from recorded runs"),
    "heatmap": ("cohort.analysis.heatmap:main", "one number over two fields, as of a grid search"),
    "calibrate_m": ("cohort.analysis.calibrate_m:main", "AdaMa's m, from a trial run that has recorded D"),
    "export": ("cohort.analysis.export:main", "values as CSV or as marl-eval's JSON"),
    "watch": ("cohort.watch:main", "a video of what a run has learned"),
    "sync": ("cohort.recording.mongo.sync:main", "send to MongoDB what it lacks of runs that are over"),
}


def run_command(word: str, words: Sequence[str]) -> int:
    """Do the job that `word` names; raises `UserError` on words it does not understand."""
    name, _, function = COMMANDS[word][0].partition(":")
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name != "papers":
            raise
        raise UserError(
            f"papers come with the repository alone: there, type python run.py {word}."
        ) from error
    return getattr(module, function)(words)
