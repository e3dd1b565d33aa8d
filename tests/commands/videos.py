"""Small videos of built-in faces, what is in a video, and `suite.translate` on it."""

from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import hydra
import numpy as np

from suite.faces import FaceParameters, draw
from suite.run.config import CONF
from suite.translate import translate

FRAMES = 6
RATE = 10
GREY = 120
SECONDS = FRAMES / RATE


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
