"""Features of real pictures on disk: they don't change from epoch to epoch, nor from run to run."""

import contextlib
import hashlib
import logging
import os
from pathlib import Path

import torch
from torch import Tensor

from suite.files import damaged_part

log = logging.getLogger(__name__)


def cache_path(cache_dir: str | Path, features: str, *described_by: object) -> Path:
    """`<cache_dir>/features/<features>-<fingerprint>.pt`; the fingerprint covers all of `described_by`."""
    fingerprint = hashlib.sha256("\0".join(map(str, described_by)).encode()).hexdigest()[:20]
    return Path(cache_dir) / "features" / f"{features}-{fingerprint}.pt"


def load(path: Path, num_features: int) -> Tensor | None:
    """The features (N, num_features) kept at `path`; None where there is no file or it is damaged."""
    if not path.is_file():
        return None
    try:
        features = torch.load(path, map_location="cpu", weights_only=True)
        if damaged := damaged_part(path):
            problem = f"{damaged} in it is not what was saved"
        elif features.ndim == 2 and features.shape[1] == num_features and features.dtype == torch.float32:
            return features
        else:
            problem = "it holds something else"
    # A damaged file shows in many ways: a zip error, a pickle error, an attribute that a tensor would have.
    except Exception as error:
        problem = " ".join(str(error).split())[:200]
    log.warning("features of real pictures in %s can't be read (%s): they are computed anew", path, problem)
    return None


def save(path: Path, features: Tensor) -> None:
    """Keeps `features` at `path`, whole or not at all. A disk that takes nothing costs time, not the run."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(features, part)
        os.replace(part, path)
    # torch.save reports a full disk as a RuntimeError of its zip writer.
    except (OSError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            part.unlink()
        log.warning(
            "features of real pictures can't be kept in %s (%s): they are computed at each evaluation; "
            "set cache_dir to a folder that can be written",
            path.parent,
            " ".join(str(error).split())[:200],
        )
