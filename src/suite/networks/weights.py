"""Where pretrained feature weights come from, and what is said when they are not there.

Every file is looked for at the path given by the user, then in torch's hub cache, and is else downloaded into that
cache. It is always held to the sha256 prefix that its publisher wrote into the file name; DINOv2's has none there, and
is held to the whole of one, which several repositories agree on.
"""

import hashlib
import http.client
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import torch

from suite.errors import UserError

# An unreachable host must not hold up a run that can say in a second what is missing.
DOWNLOAD_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class WeightFile:
    """One published file: its name in the hub cache, its address, the start of its sha256 and what it is.

    `other_file` is a second name under which the same bytes are published, accepted where the first is missing.
    """

    file: str
    url: str
    sha256: str
    what: str
    other_file: str | None = None


WEIGHTS: dict[str, WeightFile] = {
    "inception": WeightFile(
        file="weights-inception-2015-12-05-6726825d.pth",
        url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
        "weights-inception-2015-12-05-6726825d.pth",
        sha256="6726825d",
        what="Inception-v3 (FID, KID)",
        other_file="pt_inception-2015-12-05-6726825d.pth",  # pytorch-fid's name for it
    ),
    "alexnet": WeightFile(
        file="alexnet-owt-7be5be79.pth",
        url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        sha256="7be5be79",
        what="AlexNet (LPIPS)",
    ),
    "vgg16": WeightFile(
        file="vgg16-397923af.pth",
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
        sha256="397923af",
        what="VGG-16 (perceptual loss)",
    ),
    "vgg19": WeightFile(
        file="vgg19-dcbb9e9d.pth",
        url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        sha256="dcbb9e9d",
        what="VGG-19 (perceptual loss, L_p)",
    ),
    "dinov2": WeightFile(
        file="dinov2_vitl14_pretrain.pth",
        url="https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth",
        sha256="d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428",
        what="DINOv2 ViT-L/14 (fd_dinov2)",
    ),
}


def find(name: str, path: str | os.PathLike[str] | None = None, *, option: str, without: str) -> Path:
    """The checked file of `WEIGHTS[name]`, downloaded into torch's hub cache if need be.

    `path` is the user's own copy and goes before everything else. `option` is the configuration key that holds it and
    `without` the setting that needs no such file; both stand in the message. Calls from several processes may
    download the same file twice but never see half of one.

    Raises UserError, one line, when the file can't be had or is another one than its name says.
    """
    weight = WEIGHTS[name]
    if path is not None:
        chosen = Path(path).expanduser()
        if not chosen.is_file():
            raise UserError(
                f"{option}: there is no file {chosen}; expected is {weight.file} with {weight.what}, "
                f"sha256 {weight.sha256[:8]}…; {without} runs without it"
            )
        return _checked(chosen, weight, mend=f"give the right file as {option}, or null to download it")

    cache = Path(torch.hub.get_dir()) / "checkpoints"
    for file in (weight.file, weight.other_file):
        if file is not None and (cache / file).is_file():
            return _checked(cache / file, weight, mend="delete it to have it downloaded again")
    return _download(weight, cache / weight.file, option=option, without=without)


def _checked(path: Path, weight: WeightFile, mend: str) -> Path:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror}); {mend}") from error
    if not digest.startswith(weight.sha256):
        raise UserError(
            f"{path} is not {weight.what}: its sha256 starts with {digest[:8]}, expected is {weight.sha256[:8]}; {mend}"
        )
    return path


def _download(weight: WeightFile, target: Path, option: str, without: str) -> Path:
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(weight.url, str(target), hash_prefix=weight.sha256)
    # torch.hub raises RuntimeError for a wrong checksum; what urllib raises is an OSError or an HTTPException.
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{weight.what} needs {weight.file}, which could not be downloaded from {weight.url} ({reason}); "
            f"put it at {target} or name it in {option}=<path> (sha256 {weight.sha256[:8]}…); {without} runs without it"
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)
    return target
