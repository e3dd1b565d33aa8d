"""Frames and sound to a video file that is whole or not there."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from suite.data.pictures.decode import Array
from suite.errors import UserError
from suite.files import make_folder
from suite.translating.outputs import VIDEO_FORMATS
from suite.translating.sound import Sound, add_sound

# Quality, rather than a rate of bits: no step is to be seen between a face and what is around it.
_H264 = {"crf": "18", "preset": "medium"}
_VP9 = {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}


class VideoWriter:
    """A video file in the making, beside its place and with a hidden name; `finish` puts it there.

    H.264 in .mp4, .m4v, .mov and .mkv, VP9 in .webm; 8 bits, colours at half the resolution. H.264 needs even sides: of
    an odd one the last line is repeated. Raises UserError where nothing can be written.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._unfinished = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
        self._kind = VIDEO_FORMATS[target.suffix.lower()]
        self._output: OutputContainer | None = None
        self._sound: Sound | None = None
        self._last: int | None = None  # pts

    def __enter__(self) -> Self:
        self._made = not self._target.parent.is_dir()
        make_folder(self._target.parent)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        if self._output is not None:
            with suppress(av.FFmpegError, OSError, ValueError):  # it is thrown away
                self._output.close()
        self._unfinished.unlink(missing_ok=True)
        if error is not None and self._made:
            with suppress(OSError):  # other things are in it by now
                self._target.parent.rmdir()

    def begin(
        self,
        container: InputContainer,
        source: VideoStream,
        sound: AudioStream | None,
        *,
        height: int,
        width: int,
        turned: int,
    ) -> str:
        """Begin the file, for frames of that size and the sound of the input.

        turned: whether frames lie on their side in the input. Returns what becomes of the sound, in words.
        """
        with self._told():
            options = {"movflags": "+faststart"} if self._kind in ("mp4", "mov") else {}
            output = av.open(str(self._unfinished), "w", format=self._kind, container_options=options)
            self._output = output
            vp9 = self._kind == "webm"
            self._rate = source.average_rate or source.guessed_rate or Fraction(25)
            stream: Any = output.add_stream("libvpx-vp9" if vp9 else "libx264", rate=self._rate)
            even = 1 if vp9 else 2
            stream.width, stream.height = (side + side % even for side in (width, height))
            stream.pix_fmt, stream.options = "yuv420p", dict(_VP9 if vp9 else _H264)
            context = stream.codec_context
            self._time_base = context.time_base = source.time_base or 1 / self._rate
            if shape := source.sample_aspect_ratio:
                context.sample_aspect_ratio = 1 / shape if turned else shape
            given = source.codec_context
            context.color_range, context.colorspace = given.color_range, given.colorspace
            context.color_primaries, context.color_trc = given.color_primaries, given.color_trc
            self._stream = stream
            seconds = max(0, (container.start_time or 0) / av.time_base)  # broadcasts begin at any time
            self._start = round(seconds / self._time_base)
            if sound is not None:
                self._sound = add_sound(output, sound, seconds)
            output.start_encoding()
        if sound is None:
            return "no sound"
        return "its sound left out: it can't be decoded" if self._sound is None else f"sound {self._sound.how}"

    def write(self, frame: VideoFrame) -> None:
        """The next frame, uint8 in any format, at its own time."""
        assert self._output is not None
        step = max(1, round(1 / (self._rate * self._time_base)))
        pts = frame.pts - self._start if frame.pts is not None else None
        if self._last is None:
            pts = pts or 0
        elif pts is None or pts <= self._last:  # a file without times, or a damaged one
            pts = self._last + (step if pts is None else 1)
        frame = self._fitted(frame)
        frame.pts, frame.time_base, self._last = pts, self._time_base, pts
        frame.pict_type = 0  # the encoder's choice, not that of the input
        with self._told():
            self._output.mux(self._stream.encode(frame))

    def write_sound(self, packet: "Packet[AudioStream]") -> None:
        if self._sound is not None:
            with self._told():
                self._sound.write(packet)

    def finish(self) -> None:
        """Write what is held back, and put the file in its place."""
        assert self._output is not None
        with self._told():
            self._output.mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.finish()
            self._output.close()
            self._output = None
            os.replace(self._unfinished, self._target)

    def _fitted(self, frame: VideoFrame) -> VideoFrame:
        """In the encoder's format and size."""
        width, height = self._stream.width, self._stream.height
        if (missing := (height - frame.height, width - frame.width)) in ((0, 1), (1, 0), (1, 1)):
            array: Array = frame.to_ndarray(format="rgb24").astype(np.uint8)
            array = np.pad(array, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
            padded = VideoFrame.from_ndarray(array, format="rgb24")
            padded.pts, padded.colorspace, padded.color_range = frame.pts, frame.colorspace, frame.color_range
            frame = padded
        return frame.reformat(width, height, "yuv420p", dst_color_range=frame.color_range)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"can't write {self._target}: {error.strerror or error}") from error
