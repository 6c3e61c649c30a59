"""The jobs beside training: the first word after `run.py` names one."""

from collections.abc import Sequence
from importlib import import_module

# word -> ("module:function of the words that follow, returning the exit status", sentence for --help)
COMMANDS: dict[str, tuple[str, str]] = {
    "ls": (
        "src.analysis.ls:main",
        "list runs: columns, sorting, conditions, groups; as a table, Markdown or CSV",
    ),
    "show": ("src.analysis.show:main", "one run on one page"),
    "diff": ("src.analysis.diff:main", "in what runs differ"),
    "plot": ("src.analysis.plot:main", "learning curves over seeds, with intervals"),
    "figure": ("src.analysis.papers.figure:main", "a published figure, from recorded runs"),
    "claims": ("src.analysis.papers.claims:main", "what a paper says, held against recorded runs"),
    "table": ("src.analysis.papers.table:main", "a published table, from recorded runs"),
    "heatmap": ("src.analysis.heatmap:main", "one number over two fields, as of a grid search"),
    "calibrate_m": ("src.analysis.calibrate_m:main", "AdaMa's m, from a trial run that has recorded D"),
    "export": ("src.analysis.export:main", "values as CSV or as marl-eval's JSON"),
    "watch": ("src.watch:main", "a video of what a run has learned"),
    "sync": ("src.recording.sync:main", "send to MongoDB what it lacks of runs that are over"),
}


def run_command(word: str, words: Sequence[str]) -> int:
    """Do the job that `word` names; raises `UserError` on words it does not understand."""
    module, _, function = COMMANDS[word][0].partition(":")
    return getattr(import_module(module), function)(words)
