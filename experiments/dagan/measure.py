"""What the figures of a DA-GAN or CSI run are: its last checkpoint on test faces of both styles of sketches."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

import suite
from suite.data.batch import Batch
from suite.data.module import PictureData
from suite.images import signed_to_uint8
from suite.losses.kl import kl_to_standard_normal
from suite.metrics.distances import frechet_distance
from suite.metrics.features import RandomVGG
from suite.metrics.pairwise import LP, psnr, ssim
from suite.papers.dagan import DAGAN
from suite.run.config import plain
from suite.run.folder import read_config

DOMAINS = {"target": "hand-drawn (target)", "source": "simulated (source)"}
FIGURES = {  # of pictures of either domain
    "lp_mean": "L_p mean ↓",
    "lp_norm": "L_p norm ↓",
    "lp_sum": "L_p sum ↓",
    "psnr": "PSNR ↑",
    "ssim": "SSIM ↑",
    "fd": "FD random VGG ↓",
}
OF_CODES = {
    "probe": "domain accuracy of a fresh probe",
    "nats": "KL, nats a number",
    "shuffled": "L_p with another face's code, times",
}


@dataclass
class Faces:
    """Faces of one domain and split: sketches (N, 1, H, W) and their photos (N, 3, H, W), in [-1, 1]."""

    sketches: Tensor
    photos: Tensor | None  # None: of hand-drawn sketches, not every one has its photo


@cache
def measure(run: Path) -> dict[str, float]:
    """The figures of a run: <domain>/<figure>, those of OF_CODES where it has codes, and its generator steps."""
    model = suite.load(run)
    test = {domain: faces(run, "test", domain) for domain in DOMAINS}
    figures: dict[str, float] = {"steps": model.steps}
    for domain, unseen in test.items():
        photos, made = photos_of(run, "test", domain), model.translate(unseen.sketches)
        figures |= {f"{domain}/{name}": value for name, value in compare(made, photos).items()}
    if isinstance(model, DAGAN):
        figures |= of_codes(model, test, {domain: faces(run, "train", domain) for domain in DOMAINS})
    return figures


def compare(made: Tensor, photos: Tensor) -> dict[str, float]:
    """made, photos: (N, 3, H, W) in [-1, 1]. L_p by a random VGG-19 of full width, whatever was trained with."""
    of_pictures = {"psnr": psnr(made, photos), "ssim": ssim(made, photos)}
    distances = perceptual()(made, photos)
    of_pictures |= {name: distances[name] for name in ("lp_mean", "lp_norm", "lp_sum")}
    fd = frechet_distance(extractor()(signed_to_uint8(photos)), extractor()(signed_to_uint8(made)))
    return {name: float(values.double().mean()) for name, values in of_pictures.items()} | {"fd": fd}


@torch.no_grad()
def of_codes(model: DAGAN, test: dict[str, Faces], train: dict[str, Faces]) -> dict[str, float]:
    """Whether the codes tell their domain, and their face.

    probe: a logistic regression on the means of training sketches, on those of test sketches; 0.5 is guessing. nats:
    of the simulated ones. shuffled: L_p of photos made from the codes of other faces, over that from their own.
    """
    encoder, decoder = model.Inv.encoder, model.Inv.decoder
    means = {
        name: {domain: encoder(of.sketches)[0] for domain, of in faces_of.items()}
        for name, faces_of in (("train", train), ("test", test))
    }
    mean, log_variance = encoder(test["source"].sketches)
    own, other = (perceptual()(decoder(code), test["source"].photos)["lp_mean"] for code in (mean, mean.roll(1, 0)))
    return {
        "probe": probe(*(means[name][domain] for name in means for domain in ("source", "target"))),
        "nats": float(kl_to_standard_normal(mean, log_variance, "mean")),
        "shuffled": float(other.mean() / own.mean()),
    }


@torch.enable_grad()
def probe(source: Tensor, target: Tensor, unseen_source: Tensor, unseen_target: Tensor) -> float:
    """The share of unseen codes whose domain a logistic regression on the others gets right."""
    x, unseen = torch.cat([source, target]).flatten(1), torch.cat([unseen_source, unseen_target]).flatten(1)
    centre, spread = x.mean(0), x.std(0) + 1e-6
    labels = torch.cat([torch.zeros(len(source)), torch.ones(len(target))])
    of_unseen = torch.cat([torch.zeros(len(unseen_source)), torch.ones(len(unseen_target))])
    line = nn.Linear(x.shape[1], 1)
    nn.init.zeros_(line.weight)
    nn.init.zeros_(line.bias)
    optimizer = torch.optim.LBFGS(line.parameters(), max_iter=200)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(line((x - centre) / spread)[:, 0], labels)
        loss = loss + 1e-2 * line.weight.square().sum()  # more numbers than codes: without it, any can be told apart
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]  # torch's annotation wants a float
    right = (line((unseen - centre) / spread)[:, 0] > 0) == (of_unseen > 0.5)
    return float(right.float().mean())


def yardsticks(run: Path) -> dict[str, dict[str, float]]:
    """What the mean photo of the training faces scores."""
    mean = photos_of(run, "train", "source").mean(dim=0, keepdim=True)
    figures: dict[str, float] = {}
    for domain in DOMAINS:
        photos = photos_of(run, "test", domain)
        figures |= {f"{domain}/{name}": value for name, value in compare(mean.expand_as(photos), photos).items()}
    return {"the mean photo": figures}


@cache
def faces(run: Path, split: str, domain: str) -> Faces:
    """The first 64 faces of a split, or all there are."""
    options: dict[str, Any] = {**plain(read_config(run).data), "eval_batch_size": 64, "workers": 0}
    data = PictureData(**options)
    data.setup()
    batch: Batch = data.finish(next(iter(data.eval_dataloader(split))))
    if domain == "source":
        return Faces(batch["a"], batch["b"])
    return Faces(batch["target"], batch.get("target_truth"))


def photos_of(run: Path, split: str, domain: str) -> Tensor:
    """Those of `faces`. Ends the command where there are none."""
    photos = faces(run, split, domain).photos
    if photos is None:
        raise SystemExit(
            f"{run}: not every {split} sketch of data.target has its photo, and tables need them; pictures do not: "
            "python -m experiments.dagan.figures grids <run of CSI> <run of DA-GAN> <folder>"
        )
    return photos


@cache
def perceptual() -> LP:
    return LP(None)


@cache
def extractor() -> RandomVGG:
    return RandomVGG()
