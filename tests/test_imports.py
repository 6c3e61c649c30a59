"""Which module of the package may import which: no circles, and nothing from a layer above.

Every import statement counts: inside functions and under TYPE_CHECKING too. A name in a registry ("module:Class") is no
import; that is how a lower layer comes to use what an upper one, or somebody else's package, provides.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests import harness

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"

# Lowest first. A module stands in the row with the longest part of its name, and imports from rows below and from what
# has its own entry; entries of one row do not know each other. Registries lie low: they hold names.
REGISTRIES = (
    *("components", "controllers", "envs", "learners", "modules.agents", "modules.critics", "modules.mixers"),
    *("modules", "runners", "trainers"),
)
ROWS = (
    ("__init__",),
    ("errors", "loading", "program", "settings"),
    ("envs.spec", "registry"),
    ("arguments", *(f"{noun}.__init__" for noun in REGISTRIES)),
    ("configuration", "envs.base", "recording"),
    ("components",),
    ("envs", "modules"),
    ("chains", "controllers"),
    ("learners", "runners"),
    ("trainers",),
    ("assembly_sides",),
    ("assembly",),
    ("experiment", "policy"),
    ("analysis", "listing", "portable", "session", "watch"),
    ("at_once",),
    ("sweep",),
    ("commands",),
    ("cli",),
    ("sweep_child",),
)
OUTSIDE = {"papers", "benchmarks", "examples", "tests"}  # these import the package
SACRED = "cohort.recording.sacred_mirror"  # the only module that knows Sacred


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((SOURCE / "cohort").rglob("*.py"))}


def imported_names(path: Path) -> Iterator[str]:
    """`a.b` and `a.b.c` for `from a.b import c`: what follows `import` may be a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports name their module in full"
            yield from (name for alias in node.names for name in (node.module, f"{node.module}.{alias.name}"))


def imports_of(module: str) -> set[str]:
    """The package's modules that `module` imports, with the packages around them, which Python imports first."""
    found: set[str] = set()
    for name in imported_names(MODULES[module]):
        parts = name.split(".")
        found |= {".".join(parts[:end]) for end in range(1, len(parts) + 1)} & set(MODULES)
    return found - {module}


IMPORTS = {module: imports_of(module) for module in MODULES}


def place(module: str) -> tuple[int, str]:
    """The row and the entry in which a module stands."""
    name = ".".join(MODULES[module].relative_to(SOURCE / "cohort").with_suffix("").parts)
    fitting = [
        (len(entry), row, entry)
        for row, entries in enumerate(ROWS)
        for entry in entries
        if name == entry or name.startswith(f"{entry}.")
    ]
    assert fitting, f"{module} has no place in ROWS"
    _, row, entry = max(fitting)
    return row, entry


def test_nothing_imports_in_a_circle() -> None:
    try:
        list(TopologicalSorter(IMPORTS).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_from_below(module: str) -> None:
    row, entry = place(module)
    wrong = [
        other
        for other in IMPORTS[module]
        for other_row, other_entry in [place(other)]
        if other_entry != entry and other_row >= row
    ]
    assert not wrong, f"{module} ({entry}) imports {', '.join(sorted(wrong))}"


def test_families_of_learners_do_not_import_one_another() -> None:
    def family(module: str) -> str | None:
        parts = module.split(".")
        return parts[2] if parts[:2] == ["cohort", "learners"] and len(parts) > 3 else None

    wrong = [
        (module, other)
        for module in MODULES
        for other in IMPORTS[module]
        if None not in (family(module), family(other)) and family(module) != family(other)
    ]
    assert not wrong


def test_the_package_knows_neither_papers_nor_benchmarks_nor_tests() -> None:
    wrong = [
        (module, name)
        for module, path in MODULES.items()
        for name in imported_names(path)
        if name.split(".")[0] in OUTSIDE
    ]
    assert not wrong


def test_one_module_knows_sacred() -> None:
    knowing = {
        module
        for module, path in MODULES.items()
        if any(name.split(".")[0] == "sacred" for name in imported_names(path))
    }
    assert knowing == {SACRED}


@pytest.mark.parametrize("option", ["--help", "--list"])
def test_help_and_lists_load_nothing_large(option: str) -> None:
    code = (
        "import sys\nfrom cohort.cli import main\n"
        f"try:\n    main(['{option}'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'numpy', 'pydantic', 'sacred', 'matplotlib', 'pymongo', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("algorithm", "env"), [("mnmpg", "matrix_games"), ("mappo", "matrix_games"), ("maac", "spread")]
)
def test_a_run_loads_no_compiler_no_mirror_it_does_not_use_and_no_plots(
    algorithm: str, env: str, tmp_path: Path
) -> None:
    words = harness.words(algorithm, env, f"t_max=60 local_results_path={tmp_path}")
    large = ("torch._dynamo", "sympy", "matplotlib", "pymongo", "tensorboard", "pandas", "cohort.watch")
    code = (
        f"import sys\nfrom cohort.cli import main\nmain({words!r})\n"
        f"assert 'torch' in sys.modules\nimport gc\nassert gc.isenabled() and gc.get_freeze_count() > 100_000\n"
        f"print(sorted({set(large)!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert any(line.get("metrics", line) for line in harness.metrics(harness.only_run(tmp_path)))
