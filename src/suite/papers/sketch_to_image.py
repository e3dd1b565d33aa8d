"""Sketches to pictures in the style of other pictures, from photos alone (Liu 2021, self-supervised).

stage tom          photo ─► VGG ─► T ─► sketch                  D_T tells its Gram matrices from those of line drawings
                   T as it was at several steps draws every photo several times
stage autoencoder  sketch ─► C ─► content ─┐
                   photo  ─► S ─► style  ──┴► G1 ─► I_ae        S learns which picture it sees, C not to know
stage refine       I_ae, style, noise ─► G2 ─► I_gan            against D, while T, S, C and G1 rest

The stage joint, in place of the last two, trains the auto-encoder against D, which the paper argues against (A.4).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from suite.arguments import NonNegative, Positive, Share, shown
from suite.data.batch import Batch
from suite.data.sketch_sets import followed, point_to
from suite.errors import UserError
from suite.losses.adain import adain
from suite.losses.adversarial import AdversarialLoss
from suite.losses.gram import gram, joint_gram
from suite.losses.style_classes import style_classification, unclassifiable
from suite.losses.triplet import content_triplet, derangement, style_triplet
from suite.networks.layers import Norm, Width
from suite.networks.lpips import LPIPS
from suite.networks.sketch_to_image.blocks import SIZES
from suite.networks.sketch_to_image.decoder import StyledDecoder
from suite.networks.sketch_to_image.discriminator import RefineDiscriminator
from suite.networks.sketch_to_image.encoders import Codes, ContentEncoder, StyleEncoder, StyleHead, distinct
from suite.networks.sketch_to_image.refiner import ArtRefiner
from suite.networks.sketch_to_image.refiner_face import FaceRefiner
from suite.networks.sketch_to_image.tom import GramDiscriminator, SketchGenerator
from suite.papers.base import Report
from suite.papers.drawing import SETS, at_steps, draw_sets, snapshots
from suite.papers.reference import ReferenceSketchToImage
from suite.papers.styled import StyledPaper
from suite.updates.views import Degrees, Zoom, draw_views, resized, viewed

if TYPE_CHECKING:
    from suite.data.module import PictureData

Pool = Literal["pool1", "pool2", "pool3", "pool4", "pool5"]
# Channels of VGG-16 behind each pooling, in widths of its first block.
_POOLED = {"pool1": 1, "pool2": 2, "pool3": 4, "pool4": 8, "pool5": 8}
_TRAINED = {"tom": ("D_T", "T"), "autoencoder": ("AE",), "refine": ("D", "G2"), "joint": ("D", "AE")}
# What a later stage has to be told as the earlier one was: the weights would fit otherwise, too.
_OF_TOM = ("content_layer", "features", "features_width", "tom_size", "white_above")
_OF_AUTOENCODER = ("size", "width", "dmi", "dmi_bias", "style", "norm", "gate_8", "spectral_bn", "style_codes")
_GENERATORS = {"tom": ("T",), "autoencoder": ("G1", "S", "C"), "refine": ("G2",), "joint": ("G1", "S", "C")}


class SketchToImage(StyledPaper):
    """TOM, which draws sketches of photos; an auto-encoder of sketches and styles; a GAN that refines what it makes.

    Source: Liu 2021; equation, section and table numbers are that paper's, rows those of its folder of experiments/.
    """

    name = "sketch_to_image"
    depth = 16
    stages = ("tom", "autoencoder", "refine", "joint")
    in_place_of: Mapping[str, tuple[str, ...]] = {"joint": ("autoencoder", "refine")}

    def __init__(
        self,
        *,
        size: Positive,
        output_size: Positive,
        width: Width,
        tom_size: Positive,
        tom_width: Width,
        tom_width_d: Width,
        content_layer: Pool,
        gram_layers: Sequence[Pool],
        tom_loss: Literal["hinge", "vanilla"],
        lambda_content: NonNegative,
        lambda_gram: NonNegative,
        gram_of: Literal["batch", "picture"],
        white_above: Share,
        dmi: Literal["none", "sketch", "feature"],
        dmi_bias: Literal["shared", "masked"],
        style: Literal["none", "adain", "add", "multiply"],
        norm: Norm,
        gate_8: Literal["sigmoid", "batch"],
        spectral_bn: bool,
        style_codes: Codes,
        classes: Positive | None,
        lambda_rec: NonNegative,
        lambda_lpips: NonNegative,
        lambda_tri_s: NonNegative,
        lambda_tri_c: NonNegative,
        lambda_cls_s: NonNegative,
        lambda_cls_c: NonNegative,
        alpha: NonNegative,
        beta: NonNegative,
        hinge: Literal["picture", "batch"],
        strokes: Literal["mean", "sum"],
        zoom: tuple[Zoom, Zoom],
        rotation: Degrees,
        lr_later: NonNegative,
        plain_step: bool,
        refiner: Literal["art", "face"],
        refiner_styled: bool,
        lambda_refine: NonNegative,
        refine_lpips: NonNegative,
        checkpointing: bool,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        if lambda_cls_c > 0 and lambda_cls_s == 0:
            raise UserError(
                f"model.lambda_cls_c={lambda_cls_c} with model.lambda_cls_s=0: the classifier that C is to confuse "
                "would learn nothing; set both, or lambda_cls_c=0"
            )
        if not gram_layers:
            raise UserError("model.gram_layers=[]: D_T sees the Gram matrices of one layer at least")
        if self.stage == "joint" and lambda_refine == 0:
            raise UserError("model.lambda_refine=0: in the stage joint D has the weight 1 / lambda_refine; set it")
        if self.stage == "joint" and plain_step:
            raise UserError("model.plain_step=true is for the stage autoencoder: set it false with stage=joint")
        if zoom[0] > zoom[1]:
            raise UserError(f"model.zoom={list(zoom)}: least first, then most")
        self.size, self.tom_size, self.white_above = size, tom_size, white_above
        self.content_layer, self.gram_layers = content_layer, tuple(gram_layers)
        self.layer = max(content_layer, *gram_layers)
        self.adversarial = AdversarialLoss(tom_loss if self.stage == "tom" else "hinge")
        self.lambda_content, self.lambda_gram, self.gram_of = lambda_content, lambda_gram, gram_of
        self.lambda_rec, self.lambda_lpips = lambda_rec, lambda_lpips
        self.lambda_tri_s, self.lambda_tri_c = lambda_tri_s, lambda_tri_c
        self.lambda_cls_s, self.lambda_cls_c = lambda_cls_s, lambda_cls_c
        self.alpha, self.beta, self.hinge, self.strokes = alpha, beta, hinge, strokes
        self.zoom, self.rotation, self.lr_later, self.plain_step = zoom, rotation, lr_later, plain_step
        self.lambda_refine, self.refine_lpips = lambda_refine, refine_lpips
        self.turn = 0  # how many subsets of pictures came before

        maps = {layer: channels * self.features_width for layer, channels in _POOLED.items()}
        self.T = SketchGenerator(maps[content_layer], tom_width, ups=int(content_layer.removeprefix("pool")))
        if self.stage == "tom":
            self.D_T = GramDiscriminator(tom_width_d, len(self.gram_layers))
            self.tasks, self.directions, self.fixed_size = ("unpaired",), {"a2b": "T"}, tom_size
        else:
            channels = self.hparams["channels_b"]
            self.S = StyleEncoder(channels, size, width, spectral_bn, style_codes)
            self.C = ContentEncoder(self.hparams["channels_a"], size, width, spectral_bn)
            self.G1 = StyledDecoder(channels, size, width, dmi, dmi_bias, style, norm, gate_8, spectral_bn, style_codes)
            self.tasks, self.directions = ("self_supervised",), {"a2b": "G1", "b2b": "G1"}
            self.fixed_size, self.needs_style = size, True
        if self.stage in ("autoencoder", "joint") and classes is not None and lambda_cls_s > 0:
            self.head = StyleHead(self.S.features[-1], classes)
        if self.stage == "refine":
            if refiner == "face" and not refiner_styled:
                raise UserError("model.refiner_styled=false is for model.refiner=art: that of faces is built on styles")
            if refiner == "art":
                self.G2 = ArtRefiner(channels, size, output_size, width, refiner_styled, spectral_bn, style_codes)
            else:
                self.G2 = FaceRefiner(channels, size, output_size, width, style_codes)
            self.G2.checkpointing = checkpointing
            self.directions, self.fixed_size = {"a2b": "G2", "b2b": "G2"}, output_size
            self.size_key = "output_size"
        if self.stage in ("refine", "joint"):
            self.D = RefineDiscriminator(channels, self.fixed_size or size, width)
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        of_encoder = ("S", "C", "G1", "head")
        groups = {name: of_encoder if name == "AE" else (name,) for name in _TRAINED[self.stage or ""]}
        return {
            name: {network: getattr(self, network) for network in networks if hasattr(self, network)}
            for name, networks in groups.items()
        }

    def generators(self) -> dict[str, nn.Module]:
        return {name: getattr(self, name) for name in _GENERATORS[self.stage or ""]}

    def published_step(self, batch: Batch) -> Callable[[Batch], object] | None:
        return ReferenceSketchToImage.step_of(self)

    def example(self, count: int, size: int) -> Batch:
        batch = super().example(count, size)
        a, b = batch["a"], batch["b"]
        if self.stage in ("autoencoder", "joint"):
            batch |= {"drawings": a.new_empty(count, 4, *a.shape[1:]), "sibling": torch.empty_like(a)}
            if (classes := self.hparams["classes"]) is not None:
                batch |= {"subset": torch.empty_like(b), "subset_drawing": torch.empty_like(a)}
                label = torch.empty(count, dtype=torch.int64)
                batch |= {"subset_label": label, "classes": classes, "turn": self.turn}
        return batch

    # Stage tom: online feature matching (section 3) -----------------------------------------------------------------

    def tom_step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """An update of D_T, and one of T; every batch pairs photos and line drawings anew."""
        I_c, I_s = batch["a"], batch["b"]
        with torch.no_grad():
            (f_content,) = self.taps(I_c, self.content_layer)  # Eq. 1
            f_style, *f_sketch = self.taps(I_s, self.content_layer, *self.gram_layers)  # Eq. 2
            f_target = adain(f_content, f_style)  # Eq. 4
            real = [gram(f) for f in f_sketch]
        I_c2s = self.T(f_content)  # Eq. 3
        f_fake, *f_fakes = self.taps(I_c2s, self.content_layer, *self.gram_layers)
        fake = [gram(f) for f in f_fakes]
        with self.learning("D_T"):
            # Apart, as BatchNorm would show D_T both at once.
            on_real, on_fake = self.D_T(real), self.D_T([f.detach() for f in fake])
            losses = {"D_T": self.adversarial.discriminator(on_real, on_fake)}  # Eq. 5
            self.update("D_T", losses)
        seen = losses | self.adversarial.scores(on_real, on_fake)
        with self.learning("T"):
            losses = {"T": self.adversarial.generator(self.D_T(fake))}  # Eq. 6
            losses["T_content"] = self.lambda_content * mse_loss(f_fake, f_target)
            if self.lambda_gram > 0:
                of = joint_gram if self.gram_of == "batch" else gram
                apart = [mse_loss(of(f), of(s)) for f, s in zip(f_fakes, f_sketch, strict=True)]
                losses["T_gram"] = self.lambda_gram * torch.stack(apart).sum()
            self.update("T", losses)
        return seen | losses

    # Stage autoencoder (section 4.1) --------------------------------------------------------------------------------

    def before_step(self, batch: Batch) -> None:
        """With another subset of pictures come other classes (A.1): the head and what Adam knows of it begin anew."""
        if batch.get("turn", self.turn) != self.turn:
            self.turn = batch["turn"]
            if hasattr(self, "head"):
                self.head.renew(self.draws.generator("head", self.device, of_all_ranks=True))
                self.forget("head")

    def slowed(self) -> Mapping[str, float]:
        if self.stage not in ("autoencoder", "joint"):
            return {}
        share = self.lr_later / self.lr if self.turn and self.lr else 1.0
        return {"S": share, "G1": share}

    def draw(self, batch: Batch) -> dict[str, Tensor]:
        """Views of the photos, who is negative to whom, which stroke is decoded; for G2 its noise."""
        if self.stage == "tom":
            return {}
        count, device = len(batch["b"]), batch["b"].device
        if self.stage == "refine":
            shapes = dict(enumerate(self.G2.noise_shapes))
            return {
                f"noise_{n}": torch.randn(
                    count, *shape, device=device, generator=self.draws.generator(f"noise_{n}", device)
                )
                for n, shape in shapes.items()
            }

        def views(purpose: str) -> Tensor:
            return draw_views(count, self.size, self.zoom, self.rotation, device, self.draws.generator(purpose, device))

        drawn = {"view": views("view")}
        if "subset" in batch:
            drawn["subset_view"] = views("subset_view")
        if self.lambda_tri_s > 0 or self.lambda_tri_c > 0:
            drawn["negative"] = derangement(count, device, self.draws.generator("negative", device))
        generator = self.draws.generator("stroke", device)
        return drawn | {"stroke": torch.randint(5, (count,), device=device, generator=generator)}

    def autoencoder_step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """An update of S, C, G1 and the head; with `plain_step` another, of reconstructions alone (row 6)."""
        with self.learning("AE"):
            _, losses = self.self_supervised(batch, drawn)
            losses |= self.classified(batch, drawn)
            self.update("AE", losses)
        if self.plain_step:
            with self.learning("AE"), self.head_aside():
                I_ae = self.G1(self.C(batch["sibling"]), self.S(batch["b"]), batch["sibling"])
                plain = self.reconstruction(I_ae, batch["b"], "plain_")
                self.update("AE", plain)
            losses |= plain
        return losses

    @contextmanager
    def head_aside(self) -> Iterator[None]:
        """Inside, an update leaves the head alone: with gradients of 0 Adam would still move it by its momentum."""
        weights = list(self.head.parameters()) if hasattr(self, "head") else []
        gradients = [weight.grad for weight in weights]
        for weight in weights:
            weight.grad = None
        try:
            yield
        finally:
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient  # where it was

    def self_supervised(self, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Tensor, Report]:
        """I_ae, and the first three terms of Eq. 12, each with its weight, on a batch of the whole set."""
        I_org = batch["b"]
        I_t = viewed(I_org, drawn["view"])
        f_t = self.S(I_t)
        # Passes of one network are apart: BatchNorm would mix them.
        sketches = torch.cat([batch["drawings"], batch["sibling"].unsqueeze(1)], dim=1)
        chosen = sketches[torch.arange(len(I_org), device=I_org.device), drawn["stroke"]]
        losses: Report = {}
        if self.lambda_tri_s > 0:  # Eq. 7
            with torch.no_grad():
                f_org = self.S(I_org)
            both = zip(*(distinct(f, self.hparams["style_codes"]) for f in (f_t, f_org)), strict=True)
            apart = [style_triplet(t, org, org[drawn["negative"]], self.alpha) for t, org in both]
            losses["tri_s"] = self.lambda_tri_s * torch.stack(apart).sum()
        if self.lambda_tri_c > 0:  # Eq. 10
            with torch.no_grad():
                c_org = self.C(sketches[:, 0])
            apart = [
                content_triplet(t, org, org[drawn["negative"]], self.beta, self.hinge)
                for stroke in sketches[:, 1:].unbind(1)
                for t, org in zip(self.C(stroke), c_org, strict=True)
            ]
            share = 1.0 if self.strokes == "sum" else 1 / (sketches.shape[1] - 1)
            losses["tri_c"] = self.lambda_tri_c * share * torch.stack(apart).sum()
        I_ae = self.G1(self.C(chosen), f_t, chosen)
        return I_ae, self.reconstruction(I_ae, I_org) | losses

    def reconstruction(self, I_ae: Tensor, I_org: Tensor, of: str = "") -> Report:
        """The first term of Eq. 12, and the LPIPS of the authors' code, each where it has a weight."""
        losses: Report = {}
        if self.lambda_rec > 0:
            losses[f"{of}rec"] = self.lambda_rec * mse_loss(I_ae.float(), I_org)
        if self.lambda_lpips > 0:
            losses[f"{of}lpips"] = self.lambda_lpips * self.lpips(I_ae, I_org)
        return losses

    def classified(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """Eq. 8 and 9, each with its weight, on a batch of the subset whose pictures are classes (A.1)."""
        losses: Report = {}
        classes = batch.get("classes")
        if self.lambda_cls_s > 0:
            both = [self.S(viewed(batch["subset"], drawn["subset_view"])), self.S(batch["subset"])]
            apart = [style_classification(self.head(f[-1])[:, :classes], batch["subset_label"]) for f in both]
            losses["cls_s"] = self.lambda_cls_s * torch.stack(apart).sum()
        if self.lambda_cls_c > 0:
            f_content = self.C(batch["subset_drawing"])[-1].mean(dim=(2, 3))
            losses["cls_c"] = self.lambda_cls_c * unclassifiable(self.head(f_content, detached=True)[:, :classes])
        return losses

    def lpips(self, fake: Tensor, real: Tensor) -> Tensor:
        """The mean LPIPS of two batches, by VGG at 256 pixels at most (code)."""
        side = min(256, fake.shape[-1])
        return self.held["lpips"](resized(fake, side), resized(real, side)).mean()

    # Stage refine (section 4.2) -------------------------------------------------------------------------------------

    def refine_step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """An update of D, and one of G2, on pictures that the auto-encoder makes of sketches in their own styles."""
        I_sty = batch["b"]
        with torch.no_grad():
            f_style = self.encode_style(I_sty)
            I_ae = self.decode(batch["a"], f_style)
        I_gan = self.G2(I_ae, f_style, [drawn[f"noise_{n}"] for n in range(len(drawn))])
        with self.learning("D"):
            # Apart, as BatchNorm would show D both at once.
            on_real, on_fake = self.D(I_sty), self.D(I_gan.detach())
            losses = {"D": self.adversarial.discriminator(on_real, on_fake)}  # Eq. 13
            self.update("D", losses)
        seen = losses | self.adversarial.scores(on_real, on_fake)
        with self.learning("G2"):
            losses = {"G2": self.adversarial.generator(self.D(I_gan))}  # Eq. 14
            if self.lambda_refine > 0:
                losses["rec"] = self.lambda_refine * mse_loss(I_gan.float(), I_sty)
            if self.refine_lpips > 0:
                losses["lpips"] = self.refine_lpips * self.lpips(I_gan, I_sty)
            self.update("G2", losses)
        return seen | losses

    # Both at once, for comparison (A.4) -----------------------------------------------------------------------------

    def joint_step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """An update of D and one of the auto-encoder, whose adversarial loss weighs to the others as in Eq. 14."""
        with self.learning("AE"):
            I_ae, losses = self.self_supervised(batch, drawn)
            losses |= self.classified(batch, drawn)
        with self.learning("D"):
            on_real, on_fake = self.D(batch["b"]), self.D(I_ae.detach())
            of_critic = {"D": self.adversarial.discriminator(on_real, on_fake)}
            self.update("D", of_critic)
        with self.learning("AE"):
            losses["G1"] = self.adversarial.generator(self.D(I_ae)) / self.lambda_refine
            self.update("AE", losses)
        return losses | of_critic | self.adversarial.scores(on_real, on_fake)

    # Data, and weights that are not its own -------------------------------------------------------------------------

    def check_data(self, data: "PictureData") -> None:
        if self.stage in ("autoencoder", "joint") and data.size > SIZES[-1]:
            raise UserError(
                f"data.size={data.size}: the auto-encoder reads {SIZES[-1]} pixels at most, and refine makes twice as "
                "many; experiment=sketch_to_image_celeba_hq_1024 has a data.size for each stage"
            )
        if self.stage == "tom" and data.size != self.tom_size:
            raise UserError(
                f"data.size={data.size}: T learns and draws at model.tom_size={self.tom_size} pixels; take an "
                "experiment that has a data.size for each stage, as sketch_to_image_celeba_hq_512, or say "
                f"model.tom_size={data.size}"
            )
        if self.stage == "refine" and data.size != self.fixed_size:
            raise UserError(f"model.output_size={self.fixed_size}: it follows data.size, set that")
        super().check_data(data)
        if self.needs_lpips and not self.published_features:
            raise UserError(
                "model.features=random_vgg: LPIPS is of VGG's published weights; set model.features=vgg, or "
                "model.lambda_lpips=0 and model.refine_lpips=0"
            )
        if self.stage == "tom":
            return
        if not data.swap:
            raise UserError("data.direction=a2b: sketches become pictures here; set data.direction=b2a")
        if self.stage in ("autoencoder", "joint"):
            self._check_training(data)

    def _check_training(self, data: "PictureData") -> None:
        classes = self.hparams["classes"]
        if self.lambda_cls_s > 0 and (classes is None or classes != data.subset):
            raise UserError(
                f"data.subset={shown(data.subset)} with model.classes={shown(classes)}: the pictures of a subset are "
                "the classes; set data.subset, or model.lambda_cls_s=0 and model.lambda_cls_c=0"
            )
        if data.batch_size == 1 and self.hparams["gate_8"] == "batch":
            raise UserError("data.batch_size=1: model.gate_8=batch needs more pictures; use 2, or gate_8=sigmoid")
        if (self.lambda_tri_s > 0 or self.lambda_tri_c > 0) and data.batch_size == 1:
            raise UserError(
                "data.batch_size=1: a triplet needs another picture of the batch; use 2 at least, or set "
                "model.lambda_tri_s=0 and model.lambda_tri_c=0"
            )

    def check_start(self, settings: Mapping[str, Any], start_from: Path) -> None:
        for key in _OF_TOM if settings["stage"] == "tom" else (*_OF_TOM, *_OF_AUTOENCODER):
            if settings[key] != self.hparams[key]:
                raise UserError(
                    f"start_from={start_from}: it was trained with model.{key}={settings[key]}, not "
                    f"{self.hparams[key]}; say the same"
                )

    @property
    def needs_lpips(self) -> bool:
        weight = self.refine_lpips if self.stage == "refine" else self.lambda_lpips
        return self.stage != "tom" and weight > 0

    def hold_features(self) -> None:
        super().hold_features()
        if self.needs_lpips and "lpips" not in self.held:
            self.held["lpips"] = LPIPS("vgg", self._weights_file()).to(self.device)

    def leave_behind(self, data: "PictureData", run: Path) -> None:
        """The sketch sets of the next stage: what T, as it was at each step that was kept, draws; or those it had."""
        if self.stage == "tom":
            draw_sets(self, at_steps(run) or snapshots(run, ["last"]), data, run / SETS)
        elif data.sketch_sets is not None:
            point_to(run / SETS, followed(Path(data.sketch_sets).expanduser()))

    # In the checkpoint ----------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["turn"] = self.turn

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.turn = checkpoint.get("turn", 0)
