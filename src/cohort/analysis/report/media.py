"""Videos and pictures that lie in runs' folders, as parts of a page."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cohort.analysis.folders import FolderRun
from cohort.analysis.report.markup import Markup, bullets, element
from cohort.analysis.runs import Run

VIDEOS = {".mp4": "video/mp4", ".webm": "video/webm", ".gif": "image/gif"}
PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
MIRRORS = ("sacred", "models", "tb")  # folders that repeat what lies beside them, or have no pictures
MEGABYTE = 1_000_000
NAMED = 20  # of what is left out


@dataclass(frozen=True)
class File:
    """A video or picture of a run.

    Attributes:
        size: bytes that it takes on the page, where it stands in base64.
    """

    run: str
    path: Path
    name: str
    size: int

    @property
    def moves(self) -> bool:
        return self.path.suffix.lower() in VIDEOS


def media_files(runs: Sequence[Run]) -> list[File]:
    """What is found, the first of each run before the second of any; of a run videos first, the newest before others.

    Links are not followed: they may lead out of the folder.
    """
    ranked = [
        (place, number, file)
        for number, run in enumerate(runs)
        if isinstance(run, FolderRun)
        for place, file in enumerate(_files(run))
    ]
    return [file for _, _, file in sorted(ranked, key=lambda each: each[:2])]


def _files(run: FolderRun) -> list[File]:
    found: list[tuple[tuple[bool, bool, float, str], File]] = []
    for path in _below(run.folder.root):
        try:
            facts = path.stat()
        except OSError:
            continue
        file = File(run.name, path, path.relative_to(run.folder.root).as_posix(), -(-facts.st_size // 3) * 4)
        # the curve of a run is on the page already: last
        found.append(((not file.moves, path == run.folder.curve, -facts.st_mtime, file.name), file))
    return [file for _, file in sorted(found, key=lambda each: each[0])]


def _below(folder: Path) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError:  # it may be removed meanwhile, or be another's
        return
    for path in inside:
        if path.is_symlink() or path.name.startswith("."):
            continue
        if path.is_dir() and path.name not in MIRRORS:
            yield from _below(path)
        elif path.suffix.lower() in VIDEOS | PICTURES and path.is_file():
            yield path


def media_section(files: Sequence[File], megabytes: float) -> Markup:
    """Those of `files` that fit into `megabytes`, in order, and the names of the others."""
    room = megabytes * MEGABYTE
    videos: dict[File, Markup] = {}
    pictures: dict[File, Markup] = {}
    left_out: list[str] = []
    for file in files:
        if file.size > room:
            left_out.append(f"{file.run}/{file.name} ({file.size / MEGABYTE:.1f} MB)")
            continue
        try:
            content = file.path.read_bytes()
        except OSError as error:
            left_out.append(f"{file.run}/{file.name} ({error.strerror or error})")
            continue
        room -= file.size
        (videos if file.moves else pictures)[file] = _figure(file, content)
    parts = [_gallery(videos)] if videos else []
    if pictures:
        title = element("summary", f"{len(pictures)} {'picture' if len(pictures) == 1 else 'pictures'}")
        parts.append(element("details", title, _gallery(pictures)))
    if left_out:
        parts.append(element("p", f"Left out, {len(left_out)} of {len(files)} (--media-mb {megabytes:g}):"))
        more = [f"and {len(left_out) - NAMED} more"] if len(left_out) > NAMED else []
        parts.append(bullets([*left_out[:NAMED], *more]))
    return Markup("".join(parts))


def _gallery(shown: Mapping[File, Markup]) -> Markup:
    """What was chosen, by run."""
    ordered = sorted(shown, key=lambda file: (file.run, file.name))
    return element("div", *(shown[file] for file in ordered), class_="media")


def _figure(file: File, content: bytes) -> Markup:
    kind = (VIDEOS | PICTURES)[file.path.suffix.lower()]
    source = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    if kind.startswith("video/"):
        # from a little after the beginning on, so that browsers show a picture before it is played
        shown = element("video", src=f"{source}#t=0.01", controls="", loop="", muted="", preload="metadata")
    else:
        shown = element("img", src=source, alt=f"{file.name} of {file.run}", loading="lazy")
    return element("figure", shown, element("figcaption", element("b", file.run), " ", file.name))
