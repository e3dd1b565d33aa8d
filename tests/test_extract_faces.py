"""`suite.extract_faces` on videos of built-in faces, with the detector it comes with."""

import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import hydra
import numpy as np
import pytest
from PIL import Image

from suite.data.sources.identity_folders import identity_folders
from suite.errors import UserError
from suite.extract_faces import extract_faces
from suite.faces import FaceParameters, draw
from suite.run.config import CONF, compose, instantiate

FRAMES = 6


def face_video(path: Path, face: int = 0, frames: int = FRAMES) -> Path:
    """A built-in face that moves to the right over grey."""
    picture = draw(FaceParameters.sample(0, face), "photo", 160)
    scene = np.full((frames, 180, 320, 3), 120, np.uint8)
    for number in range(frames):
        scene[number, 10:170, 10 * number : 10 * number + 160] = picture
    return write(path, scene)


def empty_video(path: Path) -> Path:
    return write(path, np.full((FRAMES, 180, 320, 3), 120, np.uint8))


def write(path: Path, frames: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 180))
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def command(video: Path, output: Path, *overrides: str) -> None:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        extract_faces(hydra.compose("extract_faces", [f"video={video}", f"output={output}", "every=2", *overrides]))


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# From videos to a data set --------------------------------------------------------------------------------------------


def test_two_identities_are_read_as_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command(face_video(tmp_path / "a.avi", face=0), tmp_path / "faces" / "anna")
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith(f"3 faces of 3 frames in {tmp_path / 'faces' / 'anna'}: ")
    assert told[-3] == "next: look through them, do the same for another identity beside them, and then"
    assert told[-2] == f"python -m suite.train experiment=two_step_faceswap data.root={tmp_path / 'faces'}"
    assert told[-1].endswith(f" data=unpaired_folders data.root={tmp_path / 'faces'} data.a=anna data.b=OTHER")
    command(face_video(tmp_path / "b.avi", face=1), tmp_path / "faces" / "berta", "size=64", "format=png")
    next_, _, train = capsys.readouterr().out.splitlines()[-3:]
    assert next_ == "next: look through them, and"
    assert train.startswith("or, of two: python -m suite.train ")
    _, data = instantiate(compose("train", [*shlex.split(train)[6:], "scale=smoke", f"cache_dir={tmp_path / 'cache'}"]))
    data.setup()
    assert data.catalog.summary() == "unpaired_folders: 3 photos, 3 drawings"
    batch = next(iter(data.train_dataloader()))
    assert (batch["key"][0].partition("-")[0], batch["key_b"][0].partition("-")[0]) == ("b", "a")

    catalog = identity_folders(root=str(tmp_path / "faces"))
    assert catalog.label_names == ("anna", "berta")
    assert [record.key for record in catalog.records] == [
        "anna/a-000000", "anna/a-000002", "anna/a-000004", "berta/b-000000", "berta/b-000002", "berta/b-000004",
    ]  # fmt: skip
    assert [record.photo.load().size for record in catalog.records if record.photo] == [(256, 256)] * 3 + [(64, 64)] * 3


def test_the_crop_shows_the_whole_head_wherever_it_was(tmp_path: Path) -> None:
    command(face_video(tmp_path / "a.avi", face=1), tmp_path / "out", "size=null", "format=png")
    crops = [
        np.asarray(Image.open(tmp_path / "out" / name)) for name in files(tmp_path / "out") if name.endswith("png")
    ]
    whole = draw(FaceParameters.sample(0, 1), "photo", 160)
    for crop in crops:
        found = cv2.matchTemplate(crop, whole[20:140, 30:130], cv2.TM_CCOEFF_NORMED)  # from the hair to the chin
        assert found.max() > 0.95
        assert max(crop.shape[:2]) <= 180


def test_the_root_is_the_folder_of_this_identity_and_the_others(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command(face_video(tmp_path / "a.avi"), tmp_path / "faces" / "train" / "anna")
    assert f"data.root={tmp_path / 'faces' / 'train'} data.a=anna " in capsys.readouterr().out.splitlines()[-1]


def test_a_folder_of_videos(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for number in (1, 2):
        face_video(tmp_path / "videos" / f"{number}.avi", frames=2)
    empty_video(tmp_path / "videos" / "3.avi")
    cut = face_video(tmp_path / "videos" / "4.avi", frames=12)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    out = tmp_path / "out"
    command(tmp_path / "videos", out)
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "3.avi: no face"
    assert told[1].startswith("4.avi ends at frame ")
    assert told[1].endswith(" of 12: the rest is missing or broken")
    pictures = [name for name in files(out) if name.endswith(".jpg")]
    assert {name[0] for name in pictures} == {"1", "2", "4"}
    assert told[2].startswith(f"{len(pictures)} faces of {len(pictures) + 3} frames in {out}: ")
    command(tmp_path / "videos", out)
    assert "frames in" in (last := capsys.readouterr().out.splitlines()[2])
    assert "nothing to do" in last


# What lies in the output already --------------------------------------------------------------------------------------


def test_again_there_is_nothing_to_do(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    video, out = face_video(tmp_path / "v.avi"), tmp_path / "out"
    command(video, out)
    (out / "v-000002.jpg").unlink()  # not liked
    capsys.readouterr()
    command(video, out)
    assert capsys.readouterr().out.startswith(f"3 faces of 3 frames in {out}: nothing to do (overwrite=true")
    assert files(out) == ["v-000000.jpg", "v-000004.jpg", "v.faces.json"]
    command(video, out, "overwrite=true")
    assert files(out) == ["v-000000.jpg", "v-000002.jpg", "v-000004.jpg", "v.faces.json"]


def test_other_options_and_other_videos_are_refused(tmp_path: Path) -> None:
    video, out = face_video(tmp_path / "v.avi"), tmp_path / "out"
    command(video, out)
    with pytest.raises(UserError, match=r"were cut with size=256 largest_only=true: say that again"):
        command(video, out, "size=20", "largest_only=false")
    command(face_video(tmp_path / "w.avi", frames=2), out)  # another name: into the same folder
    before = {name: (out / name).read_bytes() for name in files(out)}
    content = video.read_bytes()
    video.write_bytes(content.replace(b"idx1", b"idx2"))  # of the same length
    with pytest.raises(UserError, match=r"another video named v"):
        command(video, out)
    video.write_bytes(content + bytes(2))
    with pytest.raises(UserError, match=r"out holds crops of another video named v: .*overwrite=true"):
        command(video, out)
    with pytest.raises(UserError, match=r"another video named v"):
        command(video.rename(tmp_path / "v.mkv"), out)
    assert {name: (out / name).read_bytes() for name in files(out)} == before
    command(tmp_path / "v.mkv", out, "every=4", "overwrite=true")
    assert files(out) == ["v-000000.jpg", "v-000004.jpg", "v.faces.json", "w-000000.jpg", "w.faces.json"]


@pytest.mark.parametrize("text", [None, "", "{}", "[1]", '{"video": "v.avi"}'])
def test_crops_of_unknown_origin_are_refused(text: str | None, tmp_path: Path) -> None:
    video, out = face_video(tmp_path / "v.avi", frames=1), tmp_path / "out"
    command(video, out)
    others = ["v-7.jpg", "v-000000-000001.jpg", "vv-000000.jpg", "v-000000.jpg.txt"]
    for name in others:
        (out / name).touch()
    (out / "v.faces.json").unlink()
    if text is not None:
        (out / "v.faces.json").write_text(text)
    with pytest.raises(UserError, match=r"v\.faces\.json.*overwrite=true") as caught:
        command(video, out)
    assert "\n" not in str(caught.value)
    command(video, out, "overwrite=true")
    assert files(out) == sorted(["v-000000.jpg", "v.faces.json", *others])


# What is refused ------------------------------------------------------------------------------------------------------


def test_no_face_leaves_nothing_and_says_what_to_change(tmp_path: Path) -> None:
    video, out = empty_video(tmp_path / "v.avi"), tmp_path / "out"
    with pytest.raises(UserError, match=r"no face in the 3 frames looked at; try a smaller min_face \(0.1\) or every"):
        command(video, out)
    assert not out.exists()
    out.mkdir()
    (out / "mine.jpg").touch()
    with pytest.raises(UserError, match="no face"):
        command(video, out)
    assert files(out) == ["mine.jpg"]


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("video=", "video=: give a path"),
        ("output=null", "output=null: give a path"),
        ("every=0", "every=0: give a whole number of at least 1"),
        ("every=2.5", "every=2.5: give a whole number"),
        ("min_face=0", "min_face=0: give a number of at least 0.02 and below 1"),
        ("min_face=64", "min_face=64: give a number"),
        ("margin=-0.1", "margin=-0.1: give a number from 0 to 10"),
        ("size=0", "size=0: give a whole number from 16 to 16384"),
        ("format=gif", "format=gif: choose from jpg, png"),
        ("largest_only=1", "largest_only=1: give true or false"),
        ("overwrite=perhaps", "overwrite=perhaps: give true or false"),
    ],
)
def test_refused_values(override: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=complaint):
        command(face_video(tmp_path / "v.avi", frames=1), tmp_path / "out", override)
    assert not (tmp_path / "out").exists()


def test_no_folder_can_be_made_there(tmp_path: Path) -> None:
    video = face_video(tmp_path / "v.avi", frames=1)
    with pytest.raises(UserError, match=r"can't write to .*v\.avi"):
        command(video, tmp_path / "v.avi/below")
    for name in ("v.avi", "out.mp4", "out.png"):  # crops are pictures in a folder, not a video
        with pytest.raises(UserError, match=f"output=.*{name} is the name of a .*: name a folder"):
            command(video, tmp_path / name)
    assert files(tmp_path) == ["v.avi"]


def shell(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "suite.extract_faces", *words]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_from_the_shell(tmp_path: Path) -> None:
    face_video(tmp_path / "v.avi", frames=1)
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(1000))
    done = shell(tmp_path, "video=v.avi", "output=faces/anna")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert files(tmp_path) == ["broken.mp4", "faces/anna/v-000000.jpg", "faces/anna/v.faces.json", "v.avi"]
    done = shell(tmp_path, "video=broken.mp4", "output=faces/berta")
    assert done.returncode == 2
    assert done.stderr.startswith("error: broken.mp4: no video, or a broken one")
    assert len(done.stderr.splitlines()) == 1  # nothing from the decoder
    assert not (tmp_path / "faces" / "berta").exists()
