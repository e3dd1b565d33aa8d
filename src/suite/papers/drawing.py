"""Sketch sets of a data set: every photo as TOM draws it, with its weights of several steps (Liu 2021, section 5.1)."""

import copy
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from suite.data.sketch_sets import MANIFEST, Manifest, check_apart, read_manifest, sketch_name, write_manifest
from suite.errors import UserError
from suite.files import damaged_part, make_folder, write_picture, write_whole
from suite.images import signed_to_uint8, to_pil

if TYPE_CHECKING:
    from suite.data.module import PictureData
    from suite.papers.sketch_to_image import SketchToImage

SETS = "sketches"  # the folder in a run of the stage tom
_BY = "made_by.txt"  # what an unfinished folder is made by


def snapshots(run: Path, wanted: list[str] | None = None) -> dict[str, Path]:
    """The checkpoints of a run that were kept at chosen steps, or those of it that are wanted, by name and in order.

    Raises UserError where there is none, or not the one that is wanted.
    """
    there = {path.stem: path for path in (run / "checkpoints").glob("*.ckpt")}
    if wanted is not None:
        if missing := [name for name in wanted if name not in there]:
            known = ", ".join(sorted(there)) or "none yet"
            raise UserError(f"checkpoints=[{','.join(wanted)}]: {run} has no {', '.join(missing)}, but {known}")
        return {name: there[name] for name in wanted}
    if not (kept := at_steps(run)):
        raise UserError(
            f"{run / 'checkpoints'} has no step<number>.ckpt: T draws as it was at those steps; train it with "
            "checkpoint.at_steps=[…], or name checkpoints, as in checkpoints=[last]"
        )
    return kept


def at_steps(run: Path) -> dict[str, Path]:
    """The checkpoints of a run that were kept at chosen steps, by name and in order."""
    there = {path.stem: path for path in (run / "checkpoints").glob("*.ckpt")}
    kept = sorted((name for name in there if re.fullmatch(r"step\d+", name)), key=lambda name: int(name[4:]))
    return {name: there[name] for name in kept}


def drawers(model: "SketchToImage", checkpoints: Mapping[str, Path]) -> dict[str, nn.Module]:
    """T with the weights of each checkpoint, averaged where it has them. Raises UserError where one has none of it."""
    found: dict[str, nn.Module] = {}
    for name, path in checkpoints.items():
        if damaged := damaged_part(path):
            raise UserError(f"{path} is damaged: {damaged} in it is not what was saved; name others, checkpoints=[…]")
        T = copy.deepcopy(model.T)
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
            prefix = "ema.T." if any(key.startswith("ema.T.") for key in state) else "T."
            of_T = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            T.load_state_dict(of_T)
        except Exception as error:  # torch raises half a dozen types for a damaged file
            raise UserError(f"{path} is damaged, or has not the weights of this run's T") from error
        found[name] = T.to(model.device).eval()
    return found


@torch.no_grad()
def draw_sets(
    model: "SketchToImage",
    checkpoints: Mapping[str, Path],
    data: "PictureData",
    folder: Path,
    advance: Callable[[int], object] = lambda count: None,
) -> Manifest:
    """Draw every photo of the data's splits once for each checkpoint, into a folder that `data.sketch_sets` reads.

    A finished folder is left as it is, and an unfinished one gone on with. advance: called with so many photos that are
    done. Raises UserError where the folder holds sketches by others, or of other photos.
    """
    check_apart(data.catalog.records)
    sets = drawers(model, checkpoints)
    made_by = ", ".join([type(model).__name__, *(f"{name} {_digest(T)}" for name, T in sets.items()), photos_of(data)])
    _claim(folder, made_by)
    if (folder / MANIFEST).is_file():
        return read_manifest(folder)
    pictures = 0
    for split in data.splits:
        for batch in data.eval_dataloader(split):
            fresh = batch["fresh_a"].nonzero().flatten().tolist()
            pictures += len(fresh)
            names = {row: sketch_name(batch["key"][row]) for row in fresh}
            missing = [row for row in fresh if not all((folder / of / names[row]).is_file() for of in sets)]
            if missing:
                photos = data.finish({"a": batch["a"][missing].to(model.device)})["a"]
                for of, lines in model.lines_of(photos, sets).items():
                    for row, line in zip(missing, signed_to_uint8(lines).cpu(), strict=True):
                        path = folder / of / names[row]
                        make_folder(path.parent)
                        write_picture(to_pil(line).convert("1"), path)
            advance(len(fresh))
    manifest = Manifest(tuple(sets), model.tom_size, pictures, made_by, model.white_above)
    write_manifest(folder, manifest)
    (folder / _BY).unlink(missing_ok=True)
    return manifest


def photos_of(data: "PictureData") -> str:
    """Which photos are drawn, in words that differ where their keys do: those name the sketches."""
    keys = sorted({record.key for records in data.splits.values() for record in records if record.photo is not None})
    return f"{len(keys)} photos of {data.catalog.dataset} {hashlib.sha256(json.dumps(keys).encode()).hexdigest()[:8]}"


def _claim(folder: Path, made_by: str) -> None:
    """Raises UserError where a folder holds something else than what is about to be made."""
    make_folder(folder)
    there = None
    if (folder / MANIFEST).is_file():
        there = read_manifest(folder).made_by
    elif (folder / _BY).is_file():
        there = (folder / _BY).read_text(encoding="utf-8")
    elif any(folder.iterdir()):
        raise UserError(f"{folder} is not empty, and holds no sketch sets: choose another folder")
    if there is None:
        write_whole(folder / _BY, made_by)
    elif there != made_by:
        raise UserError(f"{folder} holds other sketches ({there}; now: {made_by}): choose another folder")


def _digest(network: nn.Module) -> str:
    """Eight characters that change when its weights do."""
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        if isinstance(value, Tensor):
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]
