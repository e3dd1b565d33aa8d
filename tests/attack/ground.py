"""What is attacked: small runs, pictures, a packed set, a video, all made by the suite's own commands, once."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from trial import Trial

SMALL = ("scale=smoke", "trainer=cpu", "threads=1")
CYCLEGAN = ("experiment=cyclegan_lsgan", *SMALL, "model.backbone.width=4", "model.discriminator.width=4")
SECRET = "a-key-that-nobody-may-see"


@dataclass
class Ground:
    """Where all that is attacked lies; attacks take copies of it."""

    folder: Path

    @property
    def run(self) -> Path:
        """Of CycleGAN, two epochs of its three done: there is something to resume."""
        return self.folder / "run"

    @property
    def staged(self) -> Path:
        return self.folder / "staged"

    @property
    def pictures(self) -> Path:
        """photos/ as PNG and drawings/ as JPEG, by name in pairs."""
        return self.folder / "pictures"

    @property
    def packed(self) -> Path:
        return self.folder / "packed"

    @property
    def video(self) -> Path:
        return self.folder / "video.mp4"

    @property
    def generator(self) -> Path:
        """Of pytorch-CycleGAN-and-pix2pix, as suite.import_weights takes one."""
        return self.folder / "latest_net_G.pth"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def of_pictures(self) -> tuple[str, ...]:
        """The words for them as data."""
        return ("data=paired_folders", f"data.root={self.pictures}", "data.a=photos", "data.b=drawings")

    def has(self, words: Iterable[str]) -> bool:
        """Whether all of it that the words name is there: a small one lacks some."""
        return all(Path(word.partition("=")[2]).exists() for word in words if str(self.folder) in word)


def settle(folder: Path, setenv: Callable[[str, str], None] = os.environ.__setitem__) -> None:
    """Have this process and its children see nothing of the user's: no cache, no home, no account."""
    own = {"SUITE_CACHE": folder / "cache", "HOME": folder / "home", "TMPDIR": folder / "tmp"}
    own |= {f"WANDB_{name}_DIR": folder / "wandb" for name in ("CACHE", "DATA", "CONFIG")}
    for name, place in own.items():
        place.mkdir(parents=True, exist_ok=True)
        setenv(name, str(place))
    for name, value in {"WANDB_MODE": "offline", "SECRET": SECRET, "CUDA_VISIBLE_DEVICES": ""}.items():
        setenv(name, value)


def import_suite() -> None:
    """All that a child would import itself."""

    from suite import train, translate  # noqa: F401
    from suite.data import module  # noqa: F401
    from suite.metrics import callback  # noqa: F401
    from suite.papers import csi, cyclegan, dagan, pix2pix, sketch_to_image, two_step  # noqa: F401
    from suite.run import callbacks, checkpoints, fit, loggers, picture_grids, stages, trainer  # noqa: F401


def make(folder: Path, whole: bool = True) -> Ground:
    """whole: else only the run of CycleGAN and the pictures."""
    from suite.faces import FaceParameters, draw

    ground = Ground(folder)
    for number in range(8):
        face = FaceParameters.sample(0, number)
        for kind, style, suffix in (("photos", "photo", "png"), ("drawings", "cartoon", "jpg")):
            picture(draw(face, style, 48), ground.pictures / kind / f"{number}.{suffix}")
    made = Trial(folder)

    def run(command: str, *words: str, codes: tuple[int, ...] = (0,)) -> None:
        made.run(command, *words).check(*codes)

    run(
        "train",
        *CYCLEGAN,
        "trainer.max_epochs=2",
        "model.epochs=2",
        "model.decay_epochs=1",
        f"hydra.run.dir={ground.run}",
    )
    if whole:
        run("train", "experiment=sketch_to_image_faces", *SMALL, f"hydra.run.dir={ground.staged}")
        run("pack", *ground.of_pictures, f"output={ground.packed}")
        _write_video(ground.video)
        _write_generator(ground.generator)
    return ground


def picture(pixels: object, path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)  # type: ignore[arg-type]


def _write_video(path: Path) -> None:
    """Three frames of a face."""
    import av

    from suite.faces import FaceParameters, draw

    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10, width=160, height=160, pix_fmt="yuv420p")
        stream.codec_context.thread_count = 1
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(draw(FaceParameters.sample(0, 0), "photo", 160))
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _write_generator(path: Path) -> None:
    """A ResNet of one block and width 4, by its published names."""
    import torch

    shapes = {1: (4, 3, 7), 4: (8, 4, 3), 7: (16, 8, 3), 11: (16, 8, 3), 14: (8, 4, 3), 18: (3, 4, 7)}
    biases = {1: 4, 4: 8, 7: 16, 11: 8, 14: 4, 18: 3}
    state = {f"model.{n}.weight": torch.zeros(one, other, side, side) for n, (one, other, side) in shapes.items()}
    state |= {f"model.{n}.bias": torch.zeros(size) for n, size in biases.items()}
    for n in (1, 5):
        state |= {f"model.10.conv_block.{n}.weight": torch.zeros(16, 16, 3, 3)}
        state |= {f"model.10.conv_block.{n}.bias": torch.zeros(16)}
    torch.save(state, path)
