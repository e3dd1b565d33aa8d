"""A video through a model: its frames, or the faces in them, while timing, size and sound stay as they are.

video ─► frames as they are shown ─► faces cut out ─► model ─► pasted back ─► H.264 or VP9 ─► video
      └► packets of sound ──────────────────────────────────────────────────►

Few frames are held at a time, whatever the length of the video.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import av
import numpy as np
import torch
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from suite.data.pictures.decode import Array
from suite.data.suffixes import ONLY_VIDEOS
from suite.data.tools.video_faces import Box, Detector
from suite.errors import UserError, is_out_of_memory
from suite.papers.base import Direction, Paper
from suite.translating.batches import forward
from suite.translating.faces_in_frames import cut_out, face_squares, paste
from suite.translating.fitting import Fitting, resize
from suite.translating.video_writer import VideoWriter

_HELD = 256 * 2**20  # bytes of frames at a time, at most; a single one may be larger
_CUT_OFF = 0.02  # of the frames that a video's header counts; where it only estimates them, it is off by fewer


@dataclass
class Translated:
    """What was done to a video."""

    frames: int = 0
    faces: int = 0  # translated squares; with whole frames as many as frames
    without_face: int = 0  # frames
    broken: bool = False  # it ended early, or had packets that can't be decoded
    sound: str = "no sound"


@dataclass(frozen=True)
class Faces:
    """How faces are found in frames and cut out."""

    find: Detector
    margin: float  # on each side of a face, as a share of its width


@dataclass(frozen=True)
class VideoTranslator:
    """A model, in eval mode on the device to use, and what of a frame goes through it, how.

    faces: None takes the whole frame. size: pixels of the shorter side, of faces or whole frames, brought there before;
    whole frames stay so. batch_size: faces in a pass, and frames held, at most. bf16: compute in bfloat16.
    """

    model: Paper
    direction: Direction
    faces: Faces | None
    size: int | None = None
    batch_size: int = 8
    bf16: bool = False

    def translate(self, source: Path, target: Path, on_frame: Callable[..., object] = lambda **_: None) -> Translated:
        """Write the translation of a video; the suffix of `target` says the format.

        It is whole or not there; a file that is there is replaced. `on_frame` is told how many frames are behind
        (`completed`) and how many there are, as far as is known (`total`). Raises UserError for a video that can't be
        read, one without faces where they are looked for, and a target that can't be written.
        """
        first = first_frame(source)
        with _opened(source) as container, VideoWriter(target) as writer:
            done = Translated()
            video = container.streams.video[0]
            sound = next(iter(container.streams.audio), None)
            waiting: list[VideoFrame] = []
            height, width = self._frame_size(as_shown(first))
            done.sound = writer.begin(container, video, sound, height=height, width=width, turned=_turns(first) % 2)
            at_once = max(1, min(self.batch_size, _HELD // (3 * first.width * first.height)))

            def finish_waiting() -> None:
                for frame in self._translated(waiting, done):
                    writer.write(frame)
                done.frames += len(waiting)
                waiting.clear()
                on_frame(completed=done.frames, total=max(done.frames, video.frames) if video.frames else None)

            for piece in _pieces(container, video, sound, done):
                if isinstance(piece, Packet):
                    writer.write_sound(piece)
                    continue
                waiting.append(piece)
                if len(waiting) == at_once:
                    finish_waiting()
            finish_waiting()
            done.broken |= done.frames < video.frames * (1 - _CUT_OFF)
            if not done.faces:
                raise UserError(
                    f"input={source}: no face in its {done.frames} frames; try a smaller min_face, or crops=true where "
                    f"a whole frame is a face. Only faces turned towards the camera are found"
                )
            writer.finish()
        return done

    def _frame_size(self, frame: Array) -> tuple[int, int]:
        height, width = frame.shape[:2]
        if self.faces is not None or self.size is None:
            return height, width
        scale = self.size / min(height, width)
        return max(self.size, round(height * scale)), max(self.size, round(width * scale))

    def _translated(self, frames: list[VideoFrame], done: Translated) -> Iterator[VideoFrame]:
        """The frames with their faces translated; one without is itself, where it needs not be turned."""
        pictures = [as_shown(frame) for frame in frames]
        places = [self._places(picture) for picture in pictures]
        crops = [
            self._sized(picture if place is None else cut_out(picture, place))
            for picture, found in zip(pictures, places, strict=True)
            for place in found
        ]
        results = iter(self._through_model(crops))
        for frame, picture, found in zip(frames, pictures, places, strict=True):
            done.faces += len(found)
            done.without_face += not found
            if not found and not _turns(frame):
                yield frame
                continue
            for place in found:
                if place is None or self.faces is None:
                    picture = next(results)
                else:
                    face = _resized(next(results), place.side, place.side)
                    paste(picture, place, face, self.faces.margin)
            yield _in_place_of(frame, picture)

    def _places(self, picture: Array) -> list[Box | None]:
        """Squares of faces, or None: the whole frame."""
        if self.faces is None:
            return [None]
        return [*face_squares(picture, self.faces.find, self.faces.margin)]

    def _sized(self, crop: Array) -> Array:
        """A copy, which outlives what is pasted beside it, with the shorter side of `size`."""
        if self.size is None:
            return crop.copy()
        scale = self.size / min(crop.shape[:2])
        height, width = (max(self.size, round(length * scale)) for length in crop.shape[:2])
        return _resized(crop, height, width)

    def _through_model(self, crops: list[Array]) -> list[Array]:
        """Translations of uint8 RGB (H, W, 3), in order and of the same size; those of one shape go together."""
        fitting = Fitting.of(self.model, self.direction)
        fitted = [fitting.fit(_planes(crop, fitting.channels)) for crop in crops]
        results: dict[int, Array] = {}
        shapes = {number: fit.pixels.shape for number, fit in enumerate(fitted)}
        for _, same in groupby(sorted(shapes, key=lambda number: shapes[number]), key=lambda number: shapes[number]):
            numbers = list(same)
            for start in range(0, len(numbers), self.batch_size):
                batch = numbers[start : start + self.batch_size]
                try:
                    pixels = torch.stack([fitted[number].pixels for number in batch])
                    translated = forward(self.model, pixels, self.direction, self.bf16)
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                    height, width = fitted[batch[0]][1:]
                    raise UserError(f"{width}x{height} is too large for the memory; try size=256") from error
                for number, result in zip(batch, translated, strict=True):
                    back = fitting.back(result, fitted[number]).expand(3, -1, -1)  # grey ones are repeated
                    results[number] = back.permute(1, 2, 0).contiguous().numpy()
        return [results[number] for number in range(len(crops))]


# Reading --------------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(source: Path) -> Iterator[InputContainer]:
    try:
        # A name may begin like an address.
        container = av.open(f"file:{source}", metadata_errors="replace", container_options=dict(ONLY_VIDEOS))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UserError(
            f"input={source}: no video, or a broken one, or of an unknown kind; if it plays, convert it to .mp4"
        ) from error
    with container:
        if container.format.name.endswith("_pipe"):  # FFmpeg's name for a picture file
            raise UserError(f"input={source}: no video, but a picture: give it the suffix of one")
        yield container


def first_frame(source: Path) -> VideoFrame:
    """The first frame of a video. Raises UserError where it is no video, or has none."""
    with _opened(source) as container:
        try:
            for frame in container.decode(video=0) if container.streams.video else ():
                return frame
        except av.FFmpegError:
            pass  # as good as none
    raise UserError(f"input={source}: a video without a frame that can be decoded; if it plays, convert it to .mp4")


def _pieces(
    container: InputContainer, video: VideoStream, sound: AudioStream | None, done: Translated
) -> Iterator[VideoFrame | Packet]:
    """Frames and packets of sound, in the order of the file; what can't be decoded is left out and noted."""
    video.thread_type = "AUTO"  # all cores
    packets = container.demux([video, sound] if sound else [video])
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            done.broken = True
            packet = None
        if packet is not None and packet.stream is sound:
            yield packet
            continue
        try:
            yield from video.decode(packet)
        except av.FFmpegError:
            done.broken = True
        if packet is None:
            return


def as_shown(frame: VideoFrame) -> Array:
    """uint8 RGB (H, W, 3), turned as the file says: phones only note how they were held."""
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), _turns(frame)))


def _turns(frame: VideoFrame) -> int:
    """Quarters, against the clock."""
    return round(frame.rotation / 90) % 4


def _in_place_of(frame: VideoFrame, picture: Array) -> VideoFrame:
    """A frame of other pixels, at the time of the first and with its way to code colours."""
    new = VideoFrame.from_ndarray(picture, format="rgb24")
    new.pts, new.time_base = frame.pts, frame.time_base
    new.colorspace, new.color_range = frame.colorspace, frame.color_range
    return new


def _planes(picture: Array, channels: int) -> Array:
    from PIL import Image

    if channels == 1:
        return np.asarray(Image.fromarray(picture).convert("L"))[None]
    return np.ascontiguousarray(picture.transpose(2, 0, 1))


def _resized(picture: Array, height: int, width: int) -> Array:
    return resize(torch.from_numpy(_planes(picture, 3)), height, width).permute(1, 2, 0).contiguous().numpy()
