"""Two-step translation between labels (Dong 2017): an AC-GAN of all of them, then an encoder of what it makes.

stage generator   z, c ─► G ─► X_fake        D: real or fake, and of which label
stage encoder     z, c ─► G ─► X_fake ─► E ─► z        G rests, and no real picture is seen
translation       X ─► E ─► z, with another label c ─► G ─► X of that label

The stage joint, in place of both, trains E with G from the start, which the paper argues against.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from suite.arguments import Count, Name, Positive
from suite.data.batch import Batch
from suite.errors import UserError
from suite.losses import acgan
from suite.networks.acgan import LabelDiscriminator, LabelGenerator, LatentEncoder
from suite.networks.layers import Width
from suite.papers.base import Direction, Paper, Report
from suite.papers.reference import ReferenceTwoStep
from suite.papers.translation import Translation

Labels = list[Name]


class TwoStep(Paper):
    """An AC-GAN and an encoder of its noise, for pictures of any number of labels.

    Source: Dong 2017; equations and sections are that paper's.
    """

    name = "two_step"
    tasks = ("labelled",)
    stages = ("generator", "encoder", "joint")
    encoded: Tensor

    def __init__(
        self,
        *,
        size: Positive,
        labels: Labels | None,
        latent: Positive,
        prior: Literal["uniform", "normal"],
        embedding: Count,
        width: Width,
        width_d: Width,
        g_steps: Positive,
        aux_on_fake: bool,
        encoder_output: Literal["tanh", "linear"],
        encoder_learns: Literal["latents", "pictures"],
        encoder_class: bool,
        encoder_labels: Labels | None,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        if prior == "normal" and encoder_output == "tanh":
            raise UserError(
                "model.encoder_output=tanh with model.prior=normal: a third of the noise lies beyond what tanh gives; "
                "use encoder_output=linear, or prior=uniform"
            )
        if labels is None or len(labels) < 2:
            known = "labels" if labels is None else f"{len(labels)} label ({', '.join(labels)})"
            raise UserError(f"model.labels: the data have {known}, two at least are needed: is it the right root?")
        self.labels = tuple(labels)
        self.directions = directions(self.labels)
        if self.stage == "generator":  # there is no encoder yet
            self.directions = {}
        self.fixed_size, self.latent, self.prior = size, latent, prior
        self.g_steps, self.aux_on_fake, self.encoder_learns = g_steps, aux_on_fake, encoder_learns

        channels = self.hparams["channels_a"]
        self.G = LabelGenerator(channels, size, len(labels), latent, embedding, width)
        if self.stage != "encoder" or encoder_class:  # D tells E the label of a picture that has none
            self.D = LabelDiscriminator(channels, size, len(labels), width_d)
        if self.stage != "generator":
            told = len(labels) if encoder_class else 0
            self.E = LatentEncoder(channels, size, latent, width_d, encoder_output == "tanh", told)
        self.trains_on_pictures = self.stage != "encoder" or encoder_learns == "pictures"
        if encoder_labels is not None and (self.stage == "joint" or encoder_learns == "pictures"):
            raise UserError(
                f"model.encoder_labels={encoder_labels} is for E behind a G that rests: leave it out with stage=joint "
                "or model.encoder_learns=pictures"
            )
        self.register_buffer("encoded", encoded_labels(self.labels, encoder_labels), persistent=False)
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        of_stage = {"generator": "DG", "encoder": "E", "joint": "DGE"}[self.stage or ""]
        return {name: {name: getattr(self, name)} for name in of_stage}

    def generators(self) -> dict[str, nn.Module]:
        return {name: getattr(self, name) for name in ("G", "E") if hasattr(self, name)}

    def published_step(self, batch: Batch) -> Callable[[Batch], object] | None:
        return ReferenceTwoStep.step_of(self)

    # Step 1: an auxiliary classifier GAN (section 3.1) --------------------------------------------------------------

    def example(self, count: int, size: int) -> Batch:
        a = super().example(count, size)["a"]
        pictures = {"a": a, "label": torch.zeros(count, dtype=torch.int64)} if self.trains_on_pictures else {}
        return {"index": torch.arange(count), "paired": False} | pictures

    def draw(self, batch: Batch) -> dict[str, Tensor]:
        """z (B, latent) of the prior; and for the encoder's stage labels c (B,), each as likely."""
        index = batch["index"]
        drawn = {"z": self.noise(len(index), self.draws.generator("z", index.device), index.device)}
        if self.stage == "encoder":
            generator = self.draws.generator("c", index.device)
            chosen = torch.randint(len(self.encoded), (len(index),), device=index.device, generator=generator)
            drawn["c"] = self.encoded[chosen]
        return drawn

    def noise(self, count: int, generator: torch.Generator | None, device: torch.device | str = "cpu") -> Tensor:
        """z of the prior (count, latent): U(-1, 1), or N(0, 1)."""
        shape = count, self.latent
        if self.prior == "normal":
            return torch.randn(shape, device=device, generator=generator)
        return torch.rand(shape, device=device, generator=generator) * 2 - 1

    def generator_step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """An update of D, then those of G, on the same z and on the labels of the real pictures."""
        return self.play(batch["a"], batch["label"], drawn["z"])[0]

    def play(self, X_real: Tensor, c: Tensor, z: Tensor) -> tuple[Report, Tensor]:
        """Eq. 2; what is reported, and the fakes (B, C, H, W) that D was shown."""
        X_fake = self.G(z, c)
        with self.learning("D"):
            # Apart, as BatchNorm would show D both at once.
            of_real, of_fake = self.D(X_real), self.D(X_fake.detach())
            seen = acgan.discriminator(of_real, of_fake, c, self.aux_on_fake)
            self.update("D", seen)
        seen |= acgan.scores(of_real, of_fake, c)
        shown = X_fake.detach()
        for number in range(self.g_steps):
            with self.learning("G"):
                losses = acgan.generator(self.D(X_fake if number == 0 else self.G(z, c)), c)
                self.update("G", losses)
        return seen | losses, shown

    # Step 2: an encoder of the noise (section 3.2) ------------------------------------------------------------------

    def encoder_step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        if self.encoder_learns == "pictures":
            return self.learn_pictures(batch["a"], batch["label"])
        with torch.no_grad():
            X_fake = self.G(drawn["z"], drawn["c"])
        return self.learn_latents(X_fake, drawn["c"], drawn["z"])

    def learn_latents(self, X_fake: Tensor, c: Tensor, z: Tensor) -> Report:
        """E behind G: the mean squared error of E(G(z, c)) to z."""
        with self.learning("E"):
            losses = {"E": mse_loss(self.E(X_fake, c).float(), z)}
            self.update("E", losses)
        return losses

    def learn_pictures(self, X_real: Tensor, c: Tensor) -> Report:
        """E before G, what the paper sets its method against ([21], pixels alone): G(E(X), c) should be X."""
        with self.learning("E"):
            losses = {"E_pixels": mse_loss(self.G(self.E(X_real, c), c).float(), X_real)}
            self.update("E", losses)
        return losses

    # Both at once, for comparison -----------------------------------------------------------------------------------

    def joint_step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """A step of the AC-GAN, and one of E with the same fakes, or with the same pictures."""
        seen, X_fake = self.play(batch["a"], batch["label"], drawn["z"])
        if self.encoder_learns == "pictures":
            return seen | self.learn_pictures(batch["a"], batch["label"])
        return seen | self.learn_latents(X_fake, batch["label"], drawn["z"])

    # Translation (section 3.3) --------------------------------------------------------------------------------------

    def encode(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """z (B, latent) of pictures (B, C, size, size) in [-1, 1]; where E wants their labels, c, else what D says."""
        E = self.translator("E")
        if E.labels and c is None:
            c = self.D(x)[1].argmax(dim=1)
        return E(x, c)

    def decode(self, z: Tensor, c: Tensor) -> Tensor:
        """Pictures (B, C, size, size) in [-1, 1] of z (B, latent), with the labels c (B,) int64."""
        return self.translator("G")(z, c)

    @torch.no_grad()
    def translate(self, batch: Batch | Tensor, direction: Direction = "") -> Tensor:
        """Pictures (B, C, size, size) in [-1, 1], or a batch of them, to the label of a direction.

        To their own label it is their reconstruction. Through the EMA where there is one.
        """
        x, c = (batch, None) if isinstance(batch, Tensor) else (batch["a"], batch["label"])
        return self.decode(self.encode(x, c), self.all_of(list(self.directions).index(direction), x))

    def translating(self) -> dict[str, nn.Module]:
        told_by_D = {"D": self.D} if self.stage != "generator" and self.E.labels else {}
        return told_by_D | super().translating()

    def as_network(self, direction: Direction) -> nn.Module:
        return _ToLabel(self, direction)

    def towards(self, target: str) -> Direction:
        """The direction to a label; capitals, and what stands between words, are alike."""
        direction = f"to_{word(target)}"
        if direction not in self.directions:
            raise UserError(f"target={target}: there is no such label; choose from {', '.join(self.labels)}")
        return direction

    @torch.no_grad()
    def predict(self, batch: Batch) -> list[Translation]:
        """Reconstructions, then what becomes of pictures of other labels; in the first stage samples of each label."""
        x, c = batch["a"], batch["label"]
        if self.stage == "generator":
            z = torch.cat([self.noise(1, torch.Generator().manual_seed(index)) for index in batch["index"].tolist()])
            return self.samples(z.to(x.device), c)
        z = self.encode(x, c)
        same = self.decode(z, c)
        of_label = {name: self.decode(z, self.all_of(number, x)) for number, name in enumerate(self.labels)}
        found = [Translation("reconstruction", same, {"input": x} | of_label, reals="a", truth=x)]
        for number, (direction, name) in enumerate(zip(self.directions, self.labels, strict=True)):
            found.append(Translation(direction, of_label[name], reals=f"label={name}", counts=c != number))
        return found

    def samples(self, z: Tensor, c: Tensor) -> list[Translation]:
        """Pictures of z (B, latent): of the labels c (B,), and of each label alone."""
        of_label = {name: self.decode(z, self.all_of(number, z)) for number, name in enumerate(self.labels)}
        found = [Translation("samples", self.decode(z, c), of_label, reals="a")]
        for name in self.labels:
            found.append(Translation(f"of_{word(name)}", of_label[name], reals=f"label={name}"))
        return found

    def all_of(self, label: int, like: Tensor) -> Tensor:
        """The label, once for each of a batch."""
        return torch.full((len(like),), label, device=like.device)

    # Labels ---------------------------------------------------------------------------------------------------------

    def check_labels(self, names: tuple[str, ...], counts: Mapping[str, int] | None = None) -> None:
        if tuple(names) != self.labels:
            ours = ", ".join(self.labels)
            raise UserError(
                f"model.labels: the model knows {ours}, in this order, and the data have {', '.join(names)}"
            )
        if empty := [name for name in names if counts is not None and not counts.get(name)]:
            raise UserError(f"data: no training picture is {' or '.join(empty)}; give each label some")

    def check_start(self, settings: Mapping[str, Any], start_from: Path) -> None:
        if tuple(settings["labels"]) != self.labels:
            theirs, ours = ", ".join(settings["labels"]), ", ".join(self.labels)
            raise UserError(
                f"start_from={start_from}: its G knows the labels {theirs}, in this order; the data have {ours}"
            )
        if settings["prior"] != self.prior:
            raise UserError(
                f"start_from={start_from}: its G was trained with model.prior={settings['prior']}, not {self.prior}; "
                "say the same, or the same preset="
            )

    def summary(self) -> dict[str, str]:
        return super().summary() | {"labels": ", ".join(self.labels)}


class _ToLabel(nn.Module):
    """Pictures (B, C, size, size) to those of one label."""

    label: Tensor

    def __init__(self, paper: TwoStep, direction: Direction) -> None:
        super().__init__()
        networks = paper.translating()
        self.E, self.G, self.D = networks["E"], networks["G"], networks.get("D")
        self.register_buffer("label", paper.all_of(list(paper.directions).index(direction), torch.empty(1)))

    def forward(self, x: Tensor) -> Tensor:
        z = self.E(x) if self.D is None else self.E(x, self.D(x)[1].argmax(dim=1))
        return self.G(z, self.label.expand(x.shape[0]))


def word(label: str) -> str:
    """A label as part of a name: not Male is not_male."""
    return re.sub(r"\W+", "_", label.strip().lower())


def directions(labels: tuple[str, ...]) -> dict[Direction, str]:
    """The direction to each label, in their order. Raises UserError where two would be called alike."""
    found = {f"to_{word(label)}": "G" for label in labels}
    if len(found) < len(labels):
        raise UserError(
            f"model.labels={list(labels)}: some would be called alike in target=, {', '.join(found)}; rename one"
        )
    return found


def encoded_labels(labels: tuple[str, ...], wanted: Labels | None) -> Tensor:
    """The numbers of those that E learns from, (n,) int64. Raises UserError for one that does not exist."""
    if wanted == []:
        raise UserError("model.encoder_labels=[]: name one label at least, or null for all")
    for label in wanted or ():
        if label not in labels:
            raise UserError(f"model.encoder_labels: there is no label {label}; choose from {', '.join(labels)}")
    return torch.tensor([labels.index(label) for label in wanted or labels])
