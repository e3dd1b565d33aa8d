"""Features of real pictures: what `feature_cache` keeps, else computed by all processes together."""

import logging
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from torch import Tensor

from suite.images import to_rgb
from suite.metrics import feature_cache
from suite.metrics.features import Features
from suite.metrics.processes import gather
from suite.metrics.table import Table, join

log = logging.getLogger(__name__)


def real_features(extractor: Features, trainer: Trainer, split: str, name: str, cache_dir: Path) -> Tensor:
    """Features (N, d) of a set of a split's real pictures, as `reals` of the datamodule gives it by name.

    Kept on disk; complete on the first process only. Every process has to call this.
    """
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    none = torch.empty(0, extractor.num_features)
    loader = data.reals(split, name)
    if len(loader.dataset) == 0:
        return none
    size = tuple(loader.dataset[0]["picture"].shape)
    path = feature_cache.cache_path(cache_dir, extractor.key, data.fingerprint(split), name, size)
    kept = feature_cache.load(path, extractor.num_features) if trainer.is_global_zero else None
    # One process decides for all: on machines without a shared disk they would not agree.
    if trainer.strategy.broadcast(kept is not None):
        return none if kept is None else kept

    if trainer.is_global_zero:
        what = f"{len(loader.dataset)} real pictures ({split}, {name})"
        log.info("computing features of %s, kept in %s", what, path)
    parts: list[Table] = []
    for number, batch in enumerate(loader):
        if number % trainer.world_size == trainer.global_rank:
            features = extractor(to_rgb(batch["picture"].to(trainer.strategy.root_device)))
            parts.append({"index": batch["index"].cpu(), "features": features.cpu()})
    table = join(gather(join(parts), trainer))
    if trainer.is_global_zero:
        feature_cache.save(path, table["features"])
    return table["features"]
