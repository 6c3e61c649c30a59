"""Where a run comes from as Sacred's `experiment` and `host` say it, from the session's provenance."""

import inspect
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Origin:
    """What Sacred would have gathered by itself, without its scan of git and of everything that is imported.

    Attributes:
        base: the folder that names of files are relative to.
        mainfile: what was started.
        sources: the files of the run's components; their copies lie in Sacred's `_sources`.
        repositories: url, commit and whether files differ from it.
        dependencies: `name==version`.
        host: what Sacred's own gathering leaves out here: the CPU and the GPUs.
    """

    base: Path
    mainfile: Path | None = None
    sources: tuple[Path, ...] = ()
    repositories: tuple[Mapping[str, Any], ...] = ()
    dependencies: tuple[str, ...] = ()
    host: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, provenance: Mapping[str, Any], package: Path, components: Iterable[type]) -> "Origin":
        """Of a session with these components; `package` is the folder of the code, `src/cohort` in a checkout."""
        root = package.parents[1]
        started = root / "run.py"
        main = started if started.is_file() else package / "cli.py"
        files = {Path(file) for each in components if (file := _file_of(each))} - {main}
        git = provenance.get("git")
        gpus = [{"model": name} for name in provenance.get("gpus") or ()]
        return cls(
            base=root,
            mainfile=main,
            sources=(main, *sorted(files)),
            repositories=({key: git[key] for key in ("url", "commit", "dirty")},) if git else (),
            dependencies=tuple(f"{name}=={version}" for name, version in provenance["packages"].items()),
            host={"cpu": provenance.get("cpu"), **({"gpus": {"gpus": gpus}} if gpus else {})},
        )

    def experiment(self) -> dict[str, Any]:
        """Sacred's fields; a source is its name and, once it is stored, where."""
        return {
            "base_dir": str(self.base),
            "mainfile": self._name(self.mainfile) if self.mainfile else None,
            "sources": [(self._name(each), None) for each in self.sources],
            "repositories": [dict(each) for each in self.repositories],
            "dependencies": list(self.dependencies),
        }

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self.base)


def _file_of(component: type) -> str | None:
    try:
        return inspect.getsourcefile(component)
    except TypeError:  # made at a prompt
        return None
