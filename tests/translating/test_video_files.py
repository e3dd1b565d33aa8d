"""`suite.translate` on video files of all kinds: timing, size, turning, sound; whole or not there; what is refused."""

import itertools
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from to_labels import SHIFT
from videos import FRAMES, GREY, RATE, command, face_frames, files, read, write, write_tone

from suite.errors import UserError
from suite.translating.video import VideoTranslator

# Timing, size, sound --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_frames_keep_their_times(run: Path, tmp_path: Path, suffix: str) -> None:
    times = [0, 40, 140, 500, 533, 600]
    video = write(tmp_path / "v.mkv", np.full((FRAMES, 32, 48, 3), GREY, np.uint8), times=times)
    command(run, video, tmp_path / f"out.{suffix}", "crops=true", "batch_size=4")
    assert read(tmp_path / f"out.{suffix}").times == pytest.approx([time / 1000 for time in times], abs=0.0011)


@pytest.mark.parametrize(
    ("source", "sound", "target", "codec", "expected"),
    [
        ("v.mp4", "aac", "o.webm", "vp9", "opus"),
        ("v.mkv", "libopus", "o.webm", "vp9", "opus"),
        ("v.avi", "pcm_s16le", "o.mp4", "h264", "aac"),
        ("v.ts", "aac", "o.mov", "h264", "aac"),
        ("v.mkv", "flac", "o.m4v", "h264", "flac"),
    ],
)
def test_sound_goes_into_any_file(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture,
    source: str, sound: str, target: str, codec: str, expected: str,
) -> None:  # fmt: skip
    frames = np.full((FRAMES, 32, 48, 3), GREY, np.uint8)
    video = write(tmp_path / source, frames, sound=sound, codec="mjpeg" if source == "v.avi" else "libx264")
    command(run, video, tmp_path / target, "crops=true")
    before, after = read(video), read(tmp_path / target)
    assert (after.codec, after.sound_codec.removeprefix("lib")) == (codec, expected)
    assert len(after.sound) == pytest.approx(len(before.sound), abs=2048)
    assert after.sound.std() == pytest.approx(before.sound.std(), rel=0.05)
    assert after.sound_at == pytest.approx(before.sound_at, abs=0.01)
    assert [time - after.times[0] for time in after.times] == pytest.approx([n / RATE for n in range(FRAMES)], abs=2e-3)
    assert after.times[0] < 0.1
    how = "copied" if sound.removeprefix("lib") == expected else f"encoded anew ({expected})"
    assert capsys.readouterr().out.endswith(f"sound {how}\n")


def test_sound_of_an_unknown_kind_is_left_out(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    video = write(tmp_path / "v.mkv", np.full((2, 32, 48, 3), GREY, np.uint8))
    content = video.read_bytes()
    assert content.count(b"A_AAC") == 1
    video.write_bytes(content.replace(b"A_AAC", b"A_XYZ"))
    command(run, video, tmp_path / "out.mp4", "crops=true")
    assert read(tmp_path / "out.mp4").sound_codec is None
    assert capsys.readouterr().out.endswith("; its sound left out: it can't be decoded\n")
    video.write_bytes(content.replace(b"V_MPEG4/ISO/AVC", b"V_XYZXY/ISO/AVC"))
    with pytest.raises(UserError, match=r"v\.mkv: a video without a frame that can be decoded"):
        command(run, video, tmp_path / "out.webm", "crops=true")


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_a_turned_video_is_turned_as_it_is_shown(run: Path, tmp_path: Path, rotation: int) -> None:
    frames = np.full((2, 48, 80, 3), 100, np.uint8)
    frames[:, :24, :40] = 180  # the upper left, in the file
    video = write(tmp_path / "v.mp4", frames, rotation=rotation)
    shown = cv2.VideoCapture(str(video)).read()[1]  # OpenCV turns it
    command(run, video, tmp_path / "out.mp4", "crops=true", "target=dark")
    after = read(tmp_path / "out.mp4")
    assert after.rotation == 0
    assert after.frames.shape[1:] == shown.shape
    assert np.abs(after.frames[0].astype(int) + SHIFT - shown).mean() < 4


@pytest.mark.parametrize(("suffix", "size"), [("mp4", (46, 64)), ("webm", (45, 63))])
def test_odd_sides(run: Path, tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    frames = np.full((2, 45, 63, 3), 100, np.uint8)
    video = write(tmp_path / "v.avi", frames, codec="mjpeg", sound=None)
    command(run, video, tmp_path / f"out.{suffix}", "crops=true", "target=dark")
    after = read(tmp_path / f"out.{suffix}").frames
    assert after.shape[1:3] == size
    np.testing.assert_allclose(after.astype(int), 100 - SHIFT, atol=8)


def test_colours_stay(run: Path, tmp_path: Path) -> None:
    """Of a file with full range, and of faces as of what is around them."""
    frames = face_frames(2)
    frames[frames == GREY] = 0
    frames[:, :, 250:] = (200, 40, 90)
    video = write(tmp_path / "v.avi", frames, codec="mjpeg", sound=None)
    command(run, video, tmp_path / "out.mp4")
    after = read(tmp_path / "out.mp4").frames
    np.testing.assert_allclose(after[:, 5:-5, 260:].astype(int) - (200, 40, 90), 0, atol=6)


# Whole or not there ---------------------------------------------------------------------------------------------------


def test_an_interruption_leaves_nothing(run: Path, talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = itertools.count()
    whole = VideoTranslator._through_model

    def interrupted(self: VideoTranslator, crops: list[np.ndarray]) -> list[np.ndarray]:
        if next(calls) == 2:
            (unfinished,) = files(tmp_path)
            assert unfinished.startswith("new/.")
            assert unfinished.endswith(".mp4")
            raise KeyboardInterrupt
        return whole(self, crops)

    monkeypatch.setattr(VideoTranslator, "_through_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command(run, talk, tmp_path / "new" / "out.mp4", "batch_size=2")
    assert list(tmp_path.iterdir()) == []


def test_few_frames_are_held(run: Path, talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = []
    whole = VideoTranslator._translated

    def spy(self: VideoTranslator, frames: list[Any], done: Any) -> Any:
        held.append(len(frames))
        return whole(self, frames, done)

    monkeypatch.setattr(VideoTranslator, "_translated", spy)
    command(run, talk, tmp_path / "out.mp4", "batch_size=4")
    monkeypatch.setattr("suite.translating.video._HELD", 3 * 320 * 180 * 2 + 1)
    command(run, talk, tmp_path / "out.mp4", "batch_size=4", "overwrite=true")
    assert held == [4, 2, 2, 2, 2, 0]


def test_what_is_there_is_left_alone_unless_told(
    run: Path, talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "talk.mp4"
    out.write_bytes(b"mine")
    command(run, talk, tmp_path)
    assert out.read_bytes() == b"mine"
    assert capsys.readouterr().out.startswith(f"nothing to do: {out} is already there (overwrite=true")
    command(run, talk, tmp_path, "overwrite=true")
    assert len(read(out).frames) == FRAMES


def test_a_video_that_ends_early(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 32, 48, 3)).astype(np.uint8)
    video = write(tmp_path / "v.avi", noise, codec="mjpeg", sound=None)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    command(run, video, tmp_path / "out.mp4", "crops=true")
    assert capsys.readouterr().out.startswith(f"{video}: part of it is missing or broken, and left out\n")
    assert 3 < len(read(tmp_path / "out.mp4").frames) < 9


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target", "words", "complaint"),
    [
        ("text.mp4", "out.mp4", "", "text.mp4: no video, or a broken one"),
        ("picture.mp4", "out.mp4", "", "picture.mp4: no video, but a picture"),
        ("sound.mp4", "out.mp4", "", "sound.mp4: a video without a frame"),
        ("v.mp4", "v.mp4", "", "is the input"),
        ("v.mp4", "deep/../v.mp4", "", "is the input"),
        ("v.mp4", "", "", "is the input"),
        ("v.mp4", "out.png", "", "output=.*out.png is the name of a picture, but input=.*v.mp4 is a video"),
        ("v.mp4", "out.avi", "", r"\.avi can't be written; use \.mp4, \.m4v, \.mov, \.mkv, \.webm"),
        ("v.mp4", "x.png/out.mp4", "", "can't write to .*x.png"),
        ("x.png", "out.mp4", "", "output=.*out.mp4 is the name of a video, but input=.*x.png is a picture"),
        ("deep", "out.mp4", "", "output=.*out.mp4 is the name of a video, but input=.*deep is a folder"),
        ("videos", "out", "", "videos holds videos and no pictures: name one video"),
        ("x.png", "out.png", "crops=true", "crops=true is for videos, and input=.*x.png is none"),
        ("deep", "out", "margin=0.5", "margin=0.5 is for videos"),
        ("v.mp4", "out.mp4", "crops=true min_face=0.2", "min_face=0.2: with crops=true no faces are looked for"),
        ("v.mp4", "out.mp4", "min_face=0", "min_face=0: give a number of at least 0.02"),
        ("v.mp4", "out.mp4", "", r"no face in its 2 frames; try a smaller min_face"),
        ("v.mp4", "out.mp4", "target=blue", "this model knows dark, light"),
    ],
)
def test_refused(run: Path, tmp_path: Path, source: str, target: str, words: str, complaint: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    (tmp_path / "deep").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "deep" / "x.png")
    write(tmp_path / "v.mp4", np.full((2, 32, 48, 3), GREY, np.uint8), sound=None)
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "v.mov").touch()
    (tmp_path / "text.mp4").write_text("no video")
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.mp4", format="png")
    with av.open(str(tmp_path / "sound.mp4"), "w") as output:
        write_tone(output, output.add_stream("aac", rate=48000, layout="mono"), 0.1)
    before = files(tmp_path)
    with pytest.raises(UserError, match=complaint) as caught:
        command(run, tmp_path / source, tmp_path / target, *words.split())
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == before


def test_videos_among_pictures_are_counted(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(source / "x.png")
    (source / "a.mp4").touch()
    (source / "deep" / "b.MOV").touch()
    command(run, source, tmp_path / "out")
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"2 videos in {source} left out: name one at a time, input=<file>"
    assert second.startswith("1 picture translated")
    assert files(tmp_path / "out") == ["x.png"]
