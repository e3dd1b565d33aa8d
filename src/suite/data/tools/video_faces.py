"""Face crops from a video, for face swapping as in Dong et al. 2017, section 4: one folder of crops an identity.

    video ─► every n-th frame ─► boxes around faces ─► <output>/<video>-<frame>.jpg
                                                       <output>/<video>.faces.json: how far the work has come

The faces are found by OpenCV's cascade for frontal faces (Viola & Jones 2001), whose file lies in OpenCV's wheel. It
misses profiles and faces that are tilted or half hidden; in a video there are others.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import cv2.data  # where the wheel keeps its cascades
from cv2.typing import MatLike

from suite.data.sources.helpers.walking import natural_order
from suite.data.suffixes import ONLY_VIDEOS, VIDEOS
from suite.errors import UserError
from suite.files import write_whole

_CASCADE = "haarcascade_frontalface_alt2.xml"  # of the frontal ones the one with the fewest false alarms
_LOOKED_AT = 32  # pixels; a frame is shrunk until the smallest face wanted is this large; the cascade's window is 20
_JPEG_QUALITY = 95
_HASHED = 2**20  # bytes of a video's beginning that, with its length, tell it from another
_CUT_OFF = 0.02  # of the frames that a video's header counts; where it only estimates them, it is off by fewer

Frame = MatLike  # uint8 (H, W, 3) in OpenCV's order: blue, green, red


class Box(NamedTuple):
    """A square around a face, in pixels of its frame."""

    left: int
    top: int
    side: int


Detector = Callable[[Frame], list[Box]]


@dataclass(frozen=True)
class Crops:
    """Which frames are looked at, and how a face is cut out. Units and defaults stand in conf/extract_faces.yaml."""

    every: int
    min_face: float
    margin: float
    size: int | None
    largest_only: bool
    format: Literal["jpg", "png"]


@dataclass
class State:
    """How far the crops of one video have come; a text file beside them, written anew after each frame looked at."""

    video: str
    bytes: int
    begins: str  # SHA-256 of the beginning
    crops: dict[str, Any]
    next_frame: int = 0
    looked: int = 0  # frames looked at
    faces: int = 0
    finished: bool = False
    counted: int = 0  # frames as the video's header counts them; 0 where it does not

    @property
    def cut_off(self) -> bool:
        return self.finished and self.next_frame < self.counted * (1 - _CUT_OFF)


def find_videos(source: Path) -> list[Path]:
    """The file, or the videos of a folder in natural order, sub-folders left out.

    Raises UserError where there is none, or one that can't be decoded.
    """
    if source.is_file():
        _check_decodable(source)
        return [source]
    if not source.is_dir():
        raise UserError(f"video={source}: there is no such file or folder")
    videos = [path for path in source.iterdir() if path.suffix.lower() in VIDEOS and path.is_file()]
    videos = sorted((path for path in videos if not path.name.startswith(".")), key=lambda v: natural_order(v.name))
    if not videos:
        raise UserError(f"video={source}: no video in it; expected files ending in {' '.join(sorted(VIDEOS))}")
    stems = [video.stem for video in videos]
    if twice := [video.name for video in videos if stems.count(video.stem) > 1]:
        raise UserError(f"video={source}: the crops of {' and '.join(twice)} would have the same names; rename one")
    for video in videos:
        _check_decodable(video)
    return videos


def open_states(videos: list[Path], folder: Path, crops: Crops, overwrite: bool) -> dict[Path, State]:
    """Where the work on each video stands in the folder of its crops; `overwrite` begins anew.

    Raises UserError where crops there are another video's, or were cut in another way.
    """
    if overwrite:
        for video in videos:
            _discard(video, folder)
    return {video: _open_state(video, folder, crops) for video in videos}


def _open_state(video: Path, folder: Path, crops: Crops) -> State:
    with video.open("rb") as file:
        begins = hashlib.sha256(file.read(_HASHED)).hexdigest()
    new = State(video.name, video.stat().st_size, begins, asdict(crops))
    path = state_path(video, folder)
    again = "name another folder, or let overwrite=true delete them and begin anew"
    if not path.is_file():
        if there := _crops_of(video, folder):
            raise UserError(f"{folder} holds {there[0].name} but no {path.name} to say what that was cut from: {again}")
        return new
    try:
        state = State(**json.loads(path.read_text(encoding="utf-8")))
        changed = [key for key, value in new.crops.items() if state.crops[key] != value]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} was not written by this command, or not by this version: {again}") from error
    another = (state.video, state.bytes, state.begins) != (new.video, new.bytes, new.begins)
    if state.faces == 0 and (another or changed):  # nothing to lose
        return new
    if another:
        raise UserError(f"{folder} holds crops of another video named {video.stem}: {again}")
    if changed:
        was = " ".join(f"{key}={_typed(state.crops[key])}" for key in changed)
        raise UserError(f"the crops of {video.name} in {folder} were cut with {was}: say that again, {again}")
    return state


def _discard(video: Path, folder: Path) -> None:
    """The state first: crops without one are not gone on with, should this be interrupted."""
    state_path(video, folder).unlink(missing_ok=True)
    for crop in _crops_of(video, folder):
        crop.unlink()


def frontal_faces(min_face: float) -> Detector:
    """A function from a frame to the faces in it, the largest first; `min_face` is a share of the shorter side."""
    classifier = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / _CASCADE))

    def find(frame: Frame) -> list[Box]:
        least = min_face * min(frame.shape[:2])
        scale = min(1.0, _LOOKED_AT / least)
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        if scale < 1:
            grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        smallest = round(least * scale)
        found = classifier.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=4, minSize=(smallest, smallest))
        boxes = [Box(*(round(int(value) / scale) for value in (x, y, side))) for x, y, side, _ in found]
        return sorted(boxes, key=lambda box: (-box.side, box))

    return find


def widened(box: Box, margin: float, height: int, width: int) -> Box:
    """The square around a face that is cut out: `margin` of the box's side wider on each of its four sides.

    At a border of the frame, of that height and width, the square is moved inwards, and no larger than the frame's
    shorter side: every pixel of it was filmed.
    """
    side = min(round(box.side * (1 + 2 * margin)), height, width)
    left = min(max(round(box.left + (box.side - side) / 2), 0), width - side)
    top = min(max(round(box.top + (box.side - side) / 2), 0), height - side)
    return Box(left, top, side)


def cut(frame: Frame, box: Box, margin: float, size: int | None) -> Frame:
    """The `widened` square around a face, (size, size, 3); without a size it keeps its own."""
    left, top, side = widened(box, margin, *frame.shape[:2])
    square = frame[top : top + side, left : left + side]
    if size is None or size == side:
        return square
    filter_ = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return cv2.resize(square, (size, size), interpolation=filter_)


def extract(
    video: Path, folder: Path, crops: Crops, state: State, find: Detector, on_frame: Callable[..., None]
) -> None:
    """Write the crops of a video into the folder, from where the state says to the end, and keep the state there.

    Frames are counted from 0 and never sought: in many files, seeking to a number lands on another frame. `on_frame` is
    told how many are behind (`completed`) and how many there are, as far as is known (`total`). Raises UserError where
    nothing can be written.
    """
    capture = _open(video)
    state.counted = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
    number = 0
    while capture.grab():
        if number >= state.next_frame and number % crops.every == 0:
            whole, frame = capture.retrieve()
            boxes = find(frame)[: 1 if crops.largest_only else None] if whole else []
            for place, box in enumerate(boxes, start=1):
                name = f"{video.stem}-{number:06d}" + f"_{place}" * (place > 1)
                _write_picture(folder / f"{name}.{crops.format}", cut(frame, box, crops.margin, crops.size))
            state.faces += len(boxes)
            state.looked += 1
            state.next_frame = number + 1
            _save(state, video, folder)
        number += 1
        on_frame(completed=number, total=max(number, state.counted) if state.counted else None)
    capture.release()
    state.next_frame, state.finished = number, True
    _save(state, video, folder)


def _open(video: Path) -> cv2.VideoCapture:
    """Turns frames as the file says they are to be shown: phones only note how they were held."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # silence, from FFmpeg and OpenCV: we say what is wrong
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "|".join(f"{key};{value}" for key, value in ONLY_VIDEOS.items())
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)


def _check_decodable(video: Path) -> None:
    capture = _open(video)
    if not capture.isOpened():
        raise UserError(f"{video}: no video, or a broken one, or of an unknown kind; if it plays, convert it to .mp4")
    if not capture.grab():
        raise UserError(f"{video}: a video without a frame that can be decoded; if it plays, convert it to .mp4")
    capture.release()


def _write_picture(path: Path, picture: Frame) -> None:
    _, encoded = cv2.imencode(path.suffix, picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    write_whole(path, encoded.tobytes())


def _save(state: State, video: Path, folder: Path) -> None:
    write_whole(state_path(video, folder), json.dumps(asdict(state), indent=2) + "\n")


def state_path(video: Path, folder: Path) -> Path:
    return folder / f"{video.stem}.faces.json"


def _crops_of(video: Path, folder: Path) -> list[Path]:
    """The pictures that are named as this video's crops are, in order."""
    if not folder.is_dir():
        return []
    named = re.compile(rf"{re.escape(video.stem)}-\d{{6,}}(_\d+)?\.(jpg|png)")
    return sorted(path for path in folder.iterdir() if named.fullmatch(path.name))


def _typed(value: object) -> str:
    """As on a command line."""
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)
