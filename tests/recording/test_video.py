"""Videos can be read back, and never exist by halves."""

import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from cohort.errors import UserError
from cohort.recording.video import VideoWriter, write_video

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")


def pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """A bright square that moves over a dark ground."""
    frames = np.full((count, height, width, 3), 30, np.uint8)
    for i, frame in enumerate(frames):
        frame[8:24, 4 * i : 4 * i + 16] = (92, 180, 240)
    return list(frames)


def read_mp4(path) -> tuple[dict, np.ndarray]:
    """What ffmpeg says about the video, and its frames [F, H, W, 3]."""
    reader = imageio_ffmpeg.read_frames(str(path))
    facts = next(reader)
    width, height = facts["size"]
    return facts, np.array([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader])


def test_an_mp4_holds_every_frame_and_plays_in_browsers(tmp_path):
    path, frames = tmp_path / "battle.mp4", pictures(12)
    write_video(iter(frames), path, fps=16.0)
    facts, seen = read_mp4(path)
    assert facts["size"] == (64, 48)
    assert facts["fps"] == 16
    assert facts["codec"] == "h264"
    assert re.match("yuv420p", facts["pix_fmt"])
    assert seen.shape == (12, 48, 64, 3)
    assert np.abs(seen.astype(int) - np.array(frames)).mean() < 4
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(
        b"mdat"
    )  # starts before it is all loaded
    assert list(tmp_path.iterdir()) == [path]


def test_odd_sizes_gain_a_pixel(tmp_path):
    write_video(pictures(3, height=47, width=63), tmp_path / "odd.mp4", fps=8)
    facts, seen = read_mp4(tmp_path / "odd.mp4")
    assert facts["size"] == (64, 48)
    assert len(seen) == 3


def test_a_gif_holds_every_frame(tmp_path):
    write_video(iter(pictures(5, height=47, width=63)), tmp_path / "battle.gif", fps=10)
    with Image.open(tmp_path / "battle.gif") as image:
        assert (image.n_frames, image.size, image.info["duration"]) == (5, (63, 47), 100)
        for i, frame in enumerate(pictures(5, height=47, width=63)):
            image.seek(i)
            assert np.abs(np.array(image.convert("RGB")).astype(int) - frame).max() < 8


@pytest.mark.parametrize("name", ["battle.mp4", "battle.gif"])
def test_an_exception_leaves_the_old_video_and_nothing_else(tmp_path, name):
    def failing():
        yield from pictures(30)
        raise RuntimeError("the battle broke")

    path = tmp_path / name
    with pytest.raises(RuntimeError, match="broke"):
        write_video(failing(), path, fps=8)
    assert list(tmp_path.iterdir()) == []
    write_video(pictures(2), path, fps=8)
    old = path.read_bytes()
    with pytest.raises(RuntimeError, match="broke"):
        write_video(failing(), path, fps=8)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == old


def test_the_video_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "battle.mp4"
    with VideoWriter(path, 8) as writer:
        for frame in pictures(10):
            writer.append(frame)
            assert not path.exists()
    assert len(read_mp4(path)[1]) == 10


def test_no_frames_make_no_file(tmp_path):
    write_video([], tmp_path / "battle.mp4", fps=8)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_removed(tmp_path):
    code = (
        "import os, pathlib, sys, numpy as np\n"
        "from cohort.recording.video import VideoWriter\n"
        "with VideoWriter(pathlib.Path(sys.argv[1]), 8) as writer:\n"
        "    for _ in range(20):\n"
        "        writer.append(np.random.default_rng(0).integers(256, size=(480, 640, 3), dtype=np.uint8))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "battle.mp4")], check=False)
    assert not (tmp_path / "battle.mp4").exists()
    write_video(pictures(2), tmp_path / "battle.mp4", fps=8)
    assert [file.name for file in tmp_path.iterdir()] == ["battle.mp4"]


def test_a_failing_ffmpeg_says_why(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_video(pictures(3), tmp_path / "missing folder" / "battle.mp4", fps=8)


@pytest.mark.parametrize("size", [2_000, 60_000, 400_000])
def test_a_video_that_does_not_fit_on_the_disk_is_an_error(tmp_path, size):
    """A limit on the size of files stands for the full disk; ffmpeg meets it at its end or before."""
    code = (
        "import pathlib, resource, sys, numpy as np\n"
        "from cohort.recording.video import write_video\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))\n"
        "frames = np.random.default_rng(0).integers(256, size=(8, 240, 320, 3), dtype=np.uint8)\n"
        "try:\n"
        "    write_video(frames, pathlib.Path(sys.argv[1]), fps=8)\n"
        "except OSError as error:\n"
        "    print(f'refused: {error}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "battle.mp4"), str(size)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("refused: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((48, 64, 3), np.float32), "uint8, not .48, 64, 3. float32"),
        (np.zeros((48, 64), np.uint8), r"\[H, W, 3\]"),
        (np.zeros((50, 64, 3), np.uint8), "those before were .48, 64, 3"),
    ],
)
def test_strange_frames_are_refused(tmp_path, frame, message):
    with pytest.raises(ValueError, match=message):
        write_video([pictures(1)[0], frame], tmp_path / "battle.mp4", fps=8)
    assert list(tmp_path.iterdir()) == []


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"battle.avi: .*\.mp4 or \.gif"):
        VideoWriter(tmp_path / "battle.avi", 8)


def test_a_missing_ffmpeg_is_named_before_anything_is_filmed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match="pip install imageio-ffmpeg"):
        VideoWriter(tmp_path / "battle.mp4", 8)
    write_video(pictures(2), tmp_path / "battle.gif", fps=8)
    assert (tmp_path / "battle.gif").exists()
