"""Writes videos frame by frame; after a kill or an error there is never half a video under the final name."""

import os
import zlib
from collections.abc import Generator, Iterable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Protocol, Self

import numpy as np
from PIL import Image

from cohort.errors import UserError
from cohort.recording.files import remove_leftovers

_INSTALL = "pip install imageio-ffmpeg"


def write_video(frames: Iterable[np.ndarray], path: Path, fps: float) -> None:
    """Write images [H, W, 3] uint8 to `path`; see `VideoWriter`."""
    with VideoWriter(path, fps) as writer:
        for frame in frames:
            writer.append(frame)


class VideoWriter:
    """Writes a video while its frames are made: use as a context manager, and `append` each frame.

    The file appears when the context ends without an exception; until then its content is in a hidden file next
    to it. MP4 is H.264 as browsers play it; GIF needs no ffmpeg, but is larger and has 256 colours.
    """

    def __init__(self, path: Path, fps: float) -> None:
        """Prepare to write `path` (.mp4 or .gif) to be played at `fps` frames per second.

        Raises:
            UserError: another kind of file was asked for, or MP4 and ffmpeg is missing.
        """
        self.path, self.fps = path, fps
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        if path.suffix.lower() == ".gif":
            self._encoder: _Encoder = _Gif(self._temporary, fps)
        elif path.suffix.lower() == ".mp4":
            self._encoder = _Mp4(self._temporary, fps)
        else:
            raise UserError(f"{path.name}: a video's name must end in .mp4 or .gif.")
        self._shape: tuple[int, ...] | None = None

    def append(self, frame: np.ndarray) -> None:
        """Add one image [H, W, 3] uint8, as large as those before.

        Raises:
            ValueError: it is something else.
            OSError: the file cannot be written.
        """
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"a frame is [H, W, 3] uint8, not {list(frame.shape)} {frame.dtype}")
        if self._shape not in (None, frame.shape):
            raise ValueError(f"the frame is {list(frame.shape)}, those before were {list(self._shape)}")
        self._shape = frame.shape
        self._encoder.add(frame)

    def __enter__(self) -> Self:
        remove_leftovers(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the video in its place, or remove what there is of it after an exception or without any frame."""
        try:
            if error is None and self._shape is not None:
                self._encoder.finish()
                os.replace(self._temporary, self.path)
        finally:
            self._encoder.abandon()
            self._temporary.unlink(missing_ok=True)


class _Encoder(Protocol):
    """Turns frames into a file."""

    def add(self, frame: np.ndarray) -> None:
        """Take the next frame."""

    def finish(self) -> None:
        """Complete the file."""

    def abandon(self) -> None:
        """Release everything, whether the file is complete or not."""


class _Mp4:
    """Frames through imageio-ffmpeg, which brings an ffmpeg along and runs it."""

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._fps, self._library = path, fps, _imageio_ffmpeg()
        self._feed: Generator[None, np.ndarray | None, None] | None = None
        self._frames = 0

    def add(self, frame: np.ndarray) -> None:
        # H.264 in the usual colour format has even sizes.
        frame = np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), mode="edge")
        if self._feed is None:
            self._path.touch()  # says why a file cannot be written; ffmpeg would only end
            self._feed = self._library.write_frames(
                str(self._path), frame.shape[1::-1], fps=self._fps, codec="libx264", quality=None,
                macro_block_size=2, ffmpeg_log_level="error",
                output_params=["-crf", "18", "-preset", "veryfast", "-movflags", "+faststart", "-f", "mp4"],
            )  # fmt: skip
            self._feed.send(None)
        self._feed.send(frame)
        self._frames += 1

    def finish(self) -> None:
        self._feed.close()
        # The library does not look at how ffmpeg ended: on a full disk, half of the video would pass for all of it.
        try:
            readable, _ = self._library.count_frames_and_secs(str(self._path))
        except RuntimeError:
            readable = 0
        if readable != self._frames:
            raise OSError(
                f"ffmpeg wrote {readable} of {self._frames} frames to {self._path}: is the disk full?"
            )

    def abandon(self) -> None:
        if self._feed is not None:
            self._feed.close()


class _Gif:
    """Frames kept compressed until the end, because Pillow writes a GIF in one go."""

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._fps = path, fps
        self._frames: list[bytes] = []
        self._size = (0, 0)

    def add(self, frame: np.ndarray) -> None:
        self._size = (frame.shape[1], frame.shape[0])
        self._frames.append(zlib.compress(frame.tobytes(), 1))

    def finish(self) -> None:
        # One palette for all frames, computed from a few of them: ten times as fast as one for each frame, and smaller.
        sample = [np.array(self._image(frame)) for frame in self._frames[:: 1 + len(self._frames) // 12]]
        palette = Image.fromarray(np.concatenate(sample)).quantize(256)
        no_dither = Image.Dither.NONE  # dithered areas would flicker
        images = (self._image(frame).quantize(palette=palette, dither=no_dither) for frame in self._frames)
        duration = round(1000 / self._fps)
        next(images).save(
            self._path, format="GIF", save_all=True, append_images=images, duration=duration, loop=0
        )

    def _image(self, frame: bytes) -> Image.Image:
        return Image.frombytes("RGB", self._size, zlib.decompress(frame))

    def abandon(self) -> None:
        self._frames.clear()


def _imageio_ffmpeg() -> ModuleType:
    """The library that writes MP4.

    Raises:
        UserError: it is not installed, or has no ffmpeg.
    """
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
        return imageio_ffmpeg
    except (ImportError, RuntimeError) as error:
        raise UserError(f"MP4 videos need ffmpeg. Type: {_INSTALL}. Or ask for a .gif instead.") from error
