"""Face crops from a video: which frames, which squares, what is resumed and what refused."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from suite.data.tools.video_faces import Box, Crops, cut, extract, find_videos, frontal_faces, open_states
from suite.errors import UserError
from suite.faces import FaceParameters, draw

CROPS = Crops(every=1, min_face=0.1, margin=0.0, size=None, largest_only=True, format="png")


def write_video(path: Path, frames: list[np.ndarray], codec: str = "MJPG") -> Path:
    """`frames` are RGB, of one size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def greys(count: int, size: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    """Frames whose grey level is ten times their number."""
    return [np.full((*size, 3), 10 * number, np.uint8) for number in range(count)]


def grey_of(path: Path) -> float:
    return float(np.asarray(Image.open(path)).mean())


def anywhere(frame: np.ndarray) -> list[Box]:
    return [Box(8, 8, 32)]


def run(video: Path, folder: Path, crops: Crops = CROPS, find: Callable = anywhere):
    folder.mkdir(exist_ok=True)
    state = open_states([video], folder, crops, overwrite=False)[video]
    told: list[tuple[int, int | None]] = []
    extract(video, folder, crops, state, find, lambda completed, total: told.append((completed, total)))
    return state, told


def crops_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".json")


# The detector ---------------------------------------------------------------------------------------------------------


def photo(index: int, size: int) -> np.ndarray:
    return draw(FaceParameters.sample(0, index), "photo", size)


def scene(*faces: tuple[int, int, int], size: tuple[int, int] = (360, 640)) -> np.ndarray:
    """Pictures of faces 1 on grey, each (left, top, side); OpenCV's order of colours."""
    frame = np.full((*size, 3), 120, np.uint8)
    for left, top, side in faces:
        frame[top : top + side, left : left + side] = photo(1, side)
    return cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)


def inside(box: Box, left: int, top: int, side: int) -> bool:
    """Whether the box is around the eyes, nose and mouth of the picture there: face 1 has them in its middle."""
    across, down = box.left + box.side / 2 - left, box.top + box.side / 2 - top
    return 0.4 < across / side < 0.6 and 0.4 < down / side < 0.7 and 0.3 < box.side / side < 0.8


@pytest.mark.parametrize("times", [1, 3])
def test_finds_faces_the_largest_first_at_any_resolution(times: int) -> None:
    places = [(20, 40, 160), (300, 60, 260)]
    frame = cv2.resize(scene(*places), None, fx=times, fy=times)
    small, large = [(left * times, top * times, side * times) for left, top, side in places]
    boxes = frontal_faces(0.1)(frame)
    assert len(boxes) == 2
    assert inside(boxes[0], *large)
    assert inside(boxes[1], *small)


def test_min_face_is_a_share_of_the_shorter_side() -> None:
    frame = scene((20, 40, 160), (300, 60, 260))
    small = frontal_faces(0.1)(frame)[1].side / 360
    assert len(frontal_faces(small * 1.2)(frame)) == 1
    assert len(frontal_faces(0.95)(frame)) == 0


def test_finds_nothing_where_there_is_no_face() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    for frame in (noise, scene(), np.zeros((3, 5, 3), np.uint8)):
        assert frontal_faces(0.1)(frame) == []


# The square -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "margin", "left", "top", "side"),
    [
        (Box(20, 10, 8), 0.0, 20, 10, 8),
        (Box(20, 10, 8), 0.5, 16, 6, 16),  # half of 8 on each side
        (Box(1, 2, 8), 0.5, 0, 0, 16),  # moved inwards at the left and above
        (Box(54, 38, 8), 0.5, 48, 32, 16),  # and at the right and below
        (Box(20, 10, 30), 1.0, 11, 0, 48),  # no larger than the frame's shorter side
    ],
)
def test_the_square_keeps_to_the_frame(box: Box, margin: float, left: int, top: int, side: int) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    assert np.array_equal(cut(frame, box, margin, None), frame[top : top + side, left : left + side])


@pytest.mark.parametrize("size", [4, 8, 20])
def test_the_square_gets_its_size(size: int) -> None:
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[10:18, 20:28] = 200
    crop = cut(frame, Box(20, 10, 8), 0.0, size)
    assert crop.shape == (size, size, 3)
    assert crop.min() == crop.max() == 200


# What is written ------------------------------------------------------------------------------------------------------


def test_every_nth_frame_named_after_video_and_frame(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a b.c.avi", greys(8))
    state, told = run(video, tmp_path / "out", replace(CROPS, every=3))
    assert crops_in(tmp_path / "out") == ["a b.c-000000.png", "a b.c-000003.png", "a b.c-000006.png"]
    for number in (0, 3, 6):
        assert grey_of(tmp_path / "out" / f"a b.c-{number:06d}.png") == pytest.approx(10 * number, abs=2)
    assert (state.looked, state.faces, state.finished, state.cut_off) == (3, 3, True, False)
    assert told == [(number, 8) for number in range(1, 9)]


@pytest.mark.parametrize("format_", ["jpg", "png"])
def test_colours_are_those_of_the_video(format_: str, tmp_path: Path) -> None:
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:] = (220, 40, 90)
    run(write_video(tmp_path / "v.avi", [frame]), tmp_path / "out", replace(CROPS, format=format_))
    with Image.open(tmp_path / "out" / f"v-000000.{format_}") as crop:
        assert crop.format == {"jpg": "JPEG", "png": "PNG"}[format_]
        assert crop.mode == "RGB"
        assert np.abs(np.asarray(crop).astype(int) - (220, 40, 90)).max() < 8


def test_a_phone_held_upright(tmp_path: Path) -> None:
    """The rotation that the file notes is applied: what lies at the left of the stored frames is shown above."""
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:, :32] = 250
    video = write_video(tmp_path / "v.mp4", [frame] * 2, codec="mp4v")
    content = bytearray(video.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40  # ISO 14496-12, 8.3.2: after version 0's fields
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)  # a quarter clockwise
    video.write_bytes(content)
    shapes = []

    def whole(frame: np.ndarray) -> list[Box]:
        shapes.append(frame.shape[:2])
        return [Box(0, 8, 48)]

    run(video, tmp_path / "out", find=whole)
    assert shapes == [(64, 48)] * 2
    crop = np.asarray(Image.open(tmp_path / "out" / "v-000000.png"))
    assert crop[:20].mean() > 230
    assert crop[-20:].mean() < 20


def test_all_faces_of_a_frame(tmp_path: Path) -> None:
    def two(frame: np.ndarray) -> list[Box]:
        return [Box(0, 0, 40), Box(40, 0, 20)]

    video = write_video(tmp_path / "v.avi", greys(1))
    assert run(video, tmp_path / "one", find=two)[0].faces == 1
    assert run(video, tmp_path / "all", replace(CROPS, largest_only=False), two)[0].faces == 2
    assert crops_in(tmp_path / "one") == ["v-000000.png"]
    assert crops_in(tmp_path / "all") == ["v-000000.png", "v-000000_2.png"]
    assert Image.open(tmp_path / "all" / "v-000000_2.png").size == (20, 20)


def test_a_video_that_is_cut_off_keeps_what_was_found(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3)).astype(np.uint8)
    video = write_video(tmp_path / "v.avi", list(noise))
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    state, _ = run(video, tmp_path / "out")
    assert state.cut_off
    assert state.counted == 20
    assert 5 < state.next_frame < 15
    assert len(crops_in(tmp_path / "out")) == state.faces == state.next_frame


# Interrupted ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["while looking", "before a rename"])
def test_goes_on_after_a_kill(place: str, tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.avi", greys(12))
    run(video, tmp_path / "whole")
    code = f"""
import os, signal
from pathlib import Path
from suite.data.tools.video_faces import Box, Crops, extract, open_states
video, folder, crops = Path({str(video)!r}), Path({str(tmp_path / "out")!r}), {CROPS!r}
rename, seen = os.replace, []
def kill():
    os.kill(os.getpid(), signal.SIGKILL)
def find(frame):
    seen.append(1)
    if len(seen) == 5 and {place == "while looking"}:
        kill()
    return [Box(8, 8, 32)]
def replace(source, target):
    if len(seen) == 5 and {place == "before a rename"}:
        kill()
    rename(source, target)
os.replace = replace
folder.mkdir()
extract(video, folder, crops, open_states([video], folder, crops, False)[video], find, lambda **_: None)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == -9
    for crop in (tmp_path / "out").glob("*.png"):
        assert crop.read_bytes() == (tmp_path / "whole" / crop.name).read_bytes()
    looked_at: list[float] = []

    def find(frame: np.ndarray) -> list[Box]:
        looked_at.append(float(frame.mean()))
        return anywhere(frame)

    (tmp_path / "out" / "v-000001.png").unlink()  # a crop the user did not like stays away
    state, _ = run(video, tmp_path / "out", find=find)
    assert looked_at == pytest.approx([10 * number for number in range(4, 12)], abs=2)
    assert (state.looked, state.faces) == (12, 12)
    assert crops_in(tmp_path / "out") == [f"v-{number:06d}.png" for number in range(12) if number != 1]
    for crop in (tmp_path / "out").glob("*.png"):
        assert crop.read_bytes() == (tmp_path / "whole" / crop.name).read_bytes()


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Iterator[None]:
        raise OSError(28, "No space left on device")

    video = write_video(tmp_path / "v.avi", greys(2))
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match=r"can't write .*v-000000.png: No space left"):
        run(video, tmp_path / "out")
    assert crops_in(tmp_path / "out") == []


def test_where_no_face_was_found_one_may_look_otherwise(tmp_path: Path) -> None:
    video, out = write_video(tmp_path / "v.avi", greys(4)), tmp_path / "out"
    assert run(video, out, find=lambda frame: [])[0].faces == 0
    assert open_states([video], out, CROPS, overwrite=False)[video].finished
    assert run(video, out, replace(CROPS, min_face=0.05))[0].faces == 4


# Which videos ---------------------------------------------------------------------------------------------------------


def test_videos_of_a_folder_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.avi", "2.AVI", "sub/3.avi"):
        write_video(tmp_path / name.lower(), greys(1)).rename(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no video")
    (tmp_path / "5.avi").mkdir()
    (tmp_path / "._2.avi").write_text("what macOS leaves behind")
    assert [path.name for path in find_videos(tmp_path)] == ["2.AVI", "10.avi"]
    assert find_videos(tmp_path / "sub" / "3.avi") == [tmp_path / "sub" / "3.avi"]


def test_refused_videos(tmp_path: Path) -> None:
    write_video(tmp_path / "twins" / "v.avi", greys(1))
    write_video(tmp_path / "twins" / "v.mkv", greys(1))
    (tmp_path / "none").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "v.mp4").write_text("no video")
    for name, complaint in {
        "twins": "the crops of v.* and v.* would have the same names",
        "none": "no video in it",
        "nowhere": "there is no such file or folder",
        "broken": "v.mp4: no video, or a broken one",
        "broken/v.mp4": "v.mp4: no video, or a broken one",
    }.items():
        with pytest.raises(UserError, match=complaint):
            find_videos(tmp_path / name)
