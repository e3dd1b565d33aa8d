"""The sound of a video, taken over into its translation: as it is where the file may hold it, else encoded anew."""

import io
from contextlib import suppress
from typing import Any, Protocol

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

_CODECS = {"webm": "libopus"}  # by format; elsewhere AAC, which everything plays
_UNPLAYED = ("pcm_", "vorbis")  # in .mp4, where they may be by the standard
_AAC_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)  # Hz


class Sound(Protocol):
    """A sound track of an output, made of the packets of an input."""

    how: str  # copied, or what it is encoded with

    def write(self, packet: "Packet[AudioStream]") -> None: ...

    def finish(self) -> None: ...


class _Copied:
    how = "copied"

    def __init__(self, output: OutputContainer, source: AudioStream, start: float) -> None:
        self._output, self._stream = output, output.add_stream_from_template(source)
        assert source.time_base is not None
        self._start = round(start / source.time_base)
        self._last: int | None = None

    def write(self, packet: "Packet[AudioStream]") -> None:
        if packet.dts is None or packet.pts is None:  # the end, as demuxers say it
            return
        packet.dts, packet.pts = packet.dts - self._start, packet.pts - self._start
        if self._last is not None and packet.dts <= self._last:  # a damaged file says one time twice
            return
        self._last = packet.dts
        packet.stream = self._stream
        self._output.mux(packet)

    def finish(self) -> None:
        """Nothing is held back."""


class _Encoded:
    def __init__(self, output: OutputContainer, source: AudioStream, start: float, codec: str) -> None:
        self.how = f"encoded anew ({codec.removeprefix('lib')})"
        self._output, self._start = output, start
        rate = source.rate if codec == "aac" and source.rate in _AAC_RATES else 48000
        stream: Any = output.add_stream(codec, rate=rate)
        stream.layout = "mono" if source.channels == 1 else "stereo"
        self._stream = stream

    def write(self, packet: "Packet[AudioStream]") -> None:
        try:
            frames = packet.decode()
        except av.FFmpegError:  # a broken piece is a short silence, as in any player
            return
        for frame in frames:
            if frame.pts is not None and frame.time_base:
                frame.pts -= round(self._start / frame.time_base)
            self._output.mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._output.mux(self._stream.encode(None))


def add_sound(output: OutputContainer, source: AudioStream, start: float) -> Sound | None:
    """A track for the sound of `source` in an output that is not begun yet; None where it can't be decoded.

    start: seconds of the input that are 0 of the output. What is encoded anew has one channel or two.
    """
    kind = output.format.name
    if _may_hold(kind, source):
        return _Copied(output, source, start)
    if source.codec_context is None or not source.rate or not source.channels:
        return None
    return _Encoded(output, source, start, _CODECS.get(kind, "aac"))


def _may_hold(kind: str, source: AudioStream) -> bool:
    """Whether a file of that kind holds this sound as it is: found by beginning one, in memory."""
    if kind == "mp4" and source.codec_context is not None and source.codec_context.name.startswith(_UNPLAYED):
        return False
    with io.BytesIO() as nowhere:
        trial = av.open(nowhere, "w", format=kind)
        try:
            trial.add_stream_from_template(source)
            trial.start_encoding()
        except (av.FFmpegError, ValueError):
            return False
        finally:
            with suppress(av.FFmpegError, ValueError):  # nothing in it
                trial.close()
    return True
