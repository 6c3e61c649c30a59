"""The jobs beside training: the first word after `run.py` names one."""

import shlex
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
    "report": (
        "cohort.analysis.report.command:main",
        "one HTML page from runs: interactive curves, tables, settings, claims, videos",
    ),
    "figure": ("papers.commands.figure:main", "a published figure, from recorded runs"),
    "claims": ("papers.commands.claims:main", "what a paper says, tested on recorded runs"),
    "table": ("papers.commands.table:main", "a published table, from recorded runs"),
    "heatmap": ("cohort.analysis.heatmap:main", "one number over two fields, as of a grid search"),
    "calibrate_m": ("cohort.analysis.calibrate_m:main", "AdaMa's m, from a trial run that has recorded D"),
    "export": ("cohort.analysis.export:main", "values as CSV or as marl-eval's JSON"),
    "policy": (
        "cohort.portable.command:main",
        "what a run has learned, as ONNX or a program of torch.export",
    ),
    "watch": ("cohort.watch:main", "a video of what a run has learned"),
    "sync": ("cohort.recording.mongo.sync:main", "send to MongoDB what it lacks of runs that are over"),
}


PAPERS = "papers"  # the package of these commands: it lies beside run.py and is not installed


def run_command(word: str, words: Sequence[str]) -> int:
    """Do the job that `word` names; raises `UserError` on words it does not understand."""
    name, _, function = COMMANDS[word][0].partition(":")
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if name.partition(".")[0] == PAPERS and error.name in (PAPERS, f"{PAPERS}.commands"):
            raise UserError(
                "The figures, tables and claims of papers come with Cohort's repository, not with the installed "
                f"package. Type this in a clone of the repository: python run.py {shlex.join([word, *words])}"
            ) from None
        raise
    return getattr(module, function)(words)
