"""`suite.translate` on the faces of a video: what changes, and what does not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from to_labels import SHIFT
from videos import FRAMES, GREY, command, files, packets_of_sound, read, write

from suite.data.tools.video_faces import Box, frontal_faces, widened
from suite.faces import FaceParameters, draw
from suite.translating.faces_in_frames import paste


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
        paste(frame, widened(Box(20, 0, 90), margin, 90, 120), np.full((90, 90, 3), 20, np.uint8), margin)
        assert frame.min() == 20
        assert frame[0].min() >= GREY - 2
        largest = max(np.abs(np.diff(frame.astype(int), axis=axis)).max() for axis in (0, 1))
        assert largest <= 100 * 1.5 / (0.1 * 90) + 1  # of a smooth step over a tenth of the side


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
