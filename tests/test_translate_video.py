"""`suite.translate` on videos of built-in faces, and to labels, with a model that darkens or lightens."""

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import hydra
import numpy as np
import pytest
import torch
from PIL import Image
from to_labels import SHIFT, SIZE, ToLabels, to_labels

from suite.data.tools.video_faces import frontal_faces, widened
from suite.errors import UserError
from suite.faces import FaceParameters, draw
from suite.papers.cyclegan import CycleGAN
from suite.run.config import CONF, defaults_of
from suite.translate import translate
from suite.translating.batches import pick_direction, translate_files
from suite.translating.faces_in_frames import paste
from suite.translating.video import VideoTranslator

FRAMES = 6
RATE = 10
GREY = 120
SECONDS = FRAMES / RATE


def save_run(folder: Path, model: Any) -> Path:
    content: dict[str, Any] = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams), "epoch": 0}
    model.on_save_checkpoint(content)
    (folder / "checkpoints").mkdir(parents=True)
    torch.save(content, folder / "checkpoints" / "last.ckpt")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_run(tmp_path_factory.mktemp("runs") / "labels", to_labels())


@pytest.fixture(scope="module")
def cyclegan_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    networks = {
        "backbone": {"name": "resnet", "blocks": 1, "width": 4},
        "discriminator": {"name": "patch", "downs": 1, "width": 4},
    }
    torch.manual_seed(0)
    model = CycleGAN(**defaults_of("cyclegan") | networks)
    return save_run(tmp_path_factory.mktemp("runs") / "cyclegan", model)


def face_frames(frames: int = FRAMES, height: int = 180, width: int = 320) -> np.ndarray:
    """A built-in face that moves to the right over grey; in the last frame there is none."""
    picture = draw(FaceParameters.sample(0, 0), "photo", 160)
    scene = np.full((frames, height, width, 3), GREY, np.uint8)
    for number in range(frames - 1):
        scene[number, 10:170, 10 * number : 10 * number + 160] = picture
    return scene


def write(
    path: Path,
    frames: np.ndarray,
    *,
    codec: str = "libx264",
    sound: str | None = "aac",
    times: list[int] | None = None,
    rotation: int = 0,
    seconds: float = SECONDS,
) -> Path:
    """times: of the frames, in thousandths of a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream(codec, rate=RATE)
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        video.options = {"crf": "5", "preset": "ultrafast"} if codec == "libx264" else {"qmin": "1", "qmax": "3"}
        if times:
            video.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            video.set_display_rotation(rotation)
        track: Any = output.add_stream(sound, rate=48000, layout="mono") if sound else None
        for number, frame in enumerate(frames):
            shown = av.VideoFrame.from_ndarray(frame)
            shown.pts = times[number] if times else number
            shown.time_base = Fraction(1, 1000 if times else RATE)
            output.mux(video.encode(shown))
        output.mux(video.encode(None))
        if track:
            write_tone(output, track, seconds)
    return path


def write_tone(output: Any, track: Any, seconds: float) -> None:
    tone = np.sin(np.arange(int(48000 * seconds)) / 48000 * 440 * 2 * np.pi).astype(np.float32) / 2
    piece = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
    piece.sample_rate, piece.pts, piece.time_base = 48000, 0, Fraction(1, 48000)
    output.mux(track.encode(piece))
    output.mux(track.encode(None))


class Content(NamedTuple):
    frames: np.ndarray  # as decoded
    times: list[float]  # seconds
    codec: str
    sound: np.ndarray  # samples of the first channel, at their own rate, -1 to 1
    sound_at: float  # seconds after the first frame
    sound_codec: str | None
    rotation: int


def read(path: Path) -> Content:
    with av.open(str(path)) as file:
        frames, times, pieces, heard_at, rotation = [], [], [np.zeros(0)], [], 0
        for frame in file.decode():
            if isinstance(frame, av.VideoFrame):
                frames.append(frame.to_ndarray(format="rgb24"))
                times.append(float(frame.time))
                rotation = frame.rotation
            else:
                assert isinstance(frame, av.AudioFrame)
                piece = frame.to_ndarray()[0]
                pieces.append(piece / (1 if piece.dtype.kind == "f" else np.iinfo(piece.dtype).max))
                heard_at.append(float(frame.time))
        tracks = file.streams.audio
        codec = tracks[0].codec_context.name if tracks else None
        return Content(
            np.stack(frames),
            times,
            file.streams.video[0].codec_context.name,
            np.concatenate(pieces),
            heard_at[0] - times[0] if heard_at else 0,
            codec,
            rotation,
        )


def command(run: Path, source: Path, target: Path, *overrides: str) -> None:
    words = ["device=cpu", f"run={run}", f"input={source}", f"output={target}", *overrides]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        translate(hydra.compose("translate", words))


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def packets_of_sound(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.dts is not None]


# Labels, and the one size that is read --------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(50, 70), (SIZE, SIZE), (9, 5)])
def test_a_picture_is_squashed_and_keeps_its_size(run: Path, tmp_path: Path, width: int, height: int) -> None:
    ramp = np.linspace(90, 160, width)[None, :, None] + np.linspace(0, 20, height)[:, None, None] + np.zeros(3)
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "x.png")
    for target, shift in (("Dark", -SHIFT), ("light", SHIFT)):
        command(run, tmp_path / "x.png", tmp_path / f"{target}.png", f"target={target}")
        result = np.asarray(Image.open(tmp_path / f"{target}.png"), int)
        assert result.shape == (height, width, 3)
        np.testing.assert_allclose(result, ramp.astype(np.uint8).astype(int) + shift, atol=4)


def test_with_a_size_the_shorter_side_is_that(run: Path, tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), (90, 90, 90)).save(tmp_path / "x.png")
    command(run, tmp_path / "x.png", tmp_path / "y.png", "size=20")
    assert Image.open(tmp_path / "y.png").size == (30, 20)


def test_pictures_of_all_sizes_share_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    whole = ToLabels.translate

    def spy(self: ToLabels, batch: Any, direction: str = "to_dark") -> torch.Tensor:
        shapes.append(tuple(batch.shape))
        return whole(self, batch, direction)

    monkeypatch.setattr(ToLabels, "translate", spy)
    pairs = []
    for side in (20, 33, 47):
        Image.new("RGB", (side, 40)).save(tmp_path / f"{side}.png")
        pairs.append((tmp_path / f"{side}.png", tmp_path / "out" / f"{side}.png"))
    assert translate_files(to_labels(), pairs) == {}
    assert shapes == [(3, 3, SIZE, SIZE)]


def test_a_target_is_a_label_of_the_model(run: Path, cyclegan_run: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    for where, words, complaint in [
        (run, ["target=blue"], "target=blue: this model knows dark, light"),
        (cyclegan_run, ["target=male"], "target=male: CycleGAN knows no labels; say direction="),
        (run, ["target=dark", "direction=to_light"], "target=dark and direction=to_light: say one of them"),
        (run, ["target="], "target=: give a name"),
    ]:
        with pytest.raises(UserError, match=complaint):
            command(where, tmp_path / "x.png", tmp_path / "y.png", *words)
    assert pick_direction(to_labels(), None) == "to_dark"
    assert files(tmp_path) == ["x.png"]


# Faces in a video -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("videos") / "talk.mp4", face_frames())


def test_faces_are_translated_and_all_else_stays(
    run: Path, talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command(run, talk, tmp_path / "out.mp4", "target=dark", "batch_size=2")
    assert files(tmp_path) == ["out.mp4"], "nothing else is left behind"
    told = capsys.readouterr().out
    assert told.startswith(f"6 frames, 5 faces translated (to_dark) into {tmp_path / 'out.mp4'}: ")
    assert told.endswith(" frames/s; 1 frame without a face unchanged; sound copied\n")

    before, after = read(talk), read(tmp_path / "out.mp4")
    assert (after.codec, after.sound_codec) == ("h264", "aac")
    assert after.frames.shape == before.frames.shape
    assert after.times == pytest.approx(before.times)
    assert packets_of_sound(tmp_path / "out.mp4") == packets_of_sound(talk)
    assert len(after.sound) == len(before.sound)

    find = frontal_faces(0.1)
    for was, now in zip(before.frames[:-1], after.frames[:-1], strict=True):
        (box,) = find(cv2.cvtColor(was, cv2.COLOR_RGB2BGR))
        change = now.astype(int) - was
        inside = change[box.top + 3 : box.top + box.side - 3, box.left + 3 : box.left + box.side - 3]
        assert np.median(inside) == pytest.approx(-SHIFT, abs=6)
        left, top, side = widened(box, 0.4, *was.shape[:2])
        outside = np.ones(was.shape[:2], bool)
        outside[top : top + side, left : left + side] = False
        assert np.abs(change[outside]).mean() < 2
    assert np.abs(after.frames[-1].astype(int) - before.frames[-1]).max() <= 3


def test_a_pasted_face_has_no_border() -> None:
    for margin in (0.0, 0.4, 10.0):
        frame = np.full((90, 120, 3), GREY, np.uint8)
        paste(frame, widened(frontal_box(), margin, 90, 120), np.full((90, 90, 3), 20, np.uint8), margin)
        assert frame.min() == 20
        assert frame[0].min() >= GREY - 2
        largest = max(np.abs(np.diff(frame.astype(int), axis=axis)).max() for axis in (0, 1))
        assert largest <= 100 * 1.5 / (0.1 * 90) + 1  # of a smooth step over a tenth of the side


def frontal_box() -> Any:
    from suite.data.tools.video_faces import Box

    return Box(20, 0, 90)


def test_every_face_of_a_frame_goes_to_its_own_place(run: Path, tmp_path: Path) -> None:
    first, second = (draw(FaceParameters.sample(0, face), "photo", 160) for face in (0, 1))
    frames = np.full((2, 180, 360, 3), GREY, np.uint8)
    frames[:, 10:170, 5:165], frames[:, 10:170, 195:355] = first, second
    command(run, write(tmp_path / "v.mp4", frames), tmp_path / "out", "target=light", "margin=0.1", "batch_size=3")
    before, after = read(tmp_path / "v.mp4").frames[0].astype(int), read(tmp_path / "out" / "v.mp4").frames[0]
    for place in (slice(70, 110), slice(260, 300)):  # about the noses
        dark = before[80:120, place] < 180
        assert np.median((after[80:120, place] - before[80:120, place])[dark]) == pytest.approx(SHIFT, abs=8)


@pytest.mark.parametrize("mode", ["faces", "crops"])
def test_any_other_model_translates_videos_too(cyclegan_run: Path, talk: Path, tmp_path: Path, mode: str) -> None:
    words = ["crops=true"] if mode == "crops" else ["size=32"]
    command(cyclegan_run, talk, tmp_path / "out.mp4", *words)
    before, after = read(talk), read(tmp_path / "out.mp4")
    assert after.frames.shape == before.frames.shape
    changed = np.abs(after.frames.astype(int) - before.frames).mean(axis=(1, 2, 3)) > 5
    assert list(changed) == [True] * 5 + [mode == "crops"]


def test_crops_take_whole_frames(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    frames = np.stack([np.full((48, 64, 3), 100 + 10 * number, np.uint8) for number in range(FRAMES)])
    video = write(tmp_path / "v.mp4", frames, sound=None)
    command(run, video, tmp_path / "out.mp4", "target=light", "crops=true", "batch_size=4")
    after = read(tmp_path / "out.mp4")
    np.testing.assert_allclose(after.frames.astype(int), frames.astype(int) + SHIFT, atol=4)
    told = capsys.readouterr().out
    assert told.startswith("6 frames translated (to_light)")
    assert told.endswith("; no sound\n")
    command(run, video, tmp_path / "small.mp4", "crops=true", "size=24")
    assert read(tmp_path / "small.mp4").frames.shape == (FRAMES, 24, 32, 3)


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
            assert unfinished.startswith(".")
            assert unfinished.endswith(".mp4")
            raise KeyboardInterrupt
        return whole(self, crops)

    monkeypatch.setattr(VideoTranslator, "_through_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command(run, talk, tmp_path / "out.mp4", "batch_size=2")
    assert files(tmp_path) == []


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
