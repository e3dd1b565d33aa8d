"""The steps of Liu 2021 written plainly, after the paper: TOM, the auto-encoder and its losses, the refinement."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from suite.updates.views import resized, viewed

if TYPE_CHECKING:
    from suite.data.batch import Batch
    from suite.papers.sketch_to_image import SketchToImage


class ReferenceSketchToImage:
    """A stage's networks, trained by `tom_step`, `autoencoder_step` or `refine_step`; their weights change in place.

    weights: of the losses, by the names of the paper module's arguments.
    """

    def __init__(
        self,
        networks: dict[str, nn.Module],
        optimizers: Mapping[str, Sequence[str]],
        lr: float,
        betas: tuple[float, float],
        weights: dict[str, float],
    ) -> None:
        self.networks, self.weights = networks, weights
        self.optimizers = {
            name: torch.optim.Adam([w for of in its for w in networks[of].parameters()], lr, betas)
            for name, its in optimizers.items()
        }

    @classmethod
    def step_of(cls, model: "SketchToImage") -> "Callable[[Batch], object] | None":
        """The step on copies of a model's networks, with its settings; None where it knows none of them."""
        known: dict[str, Any] = {
            "tom_loss": "hinge", "gram_of": "batch", "hinge": "picture", "strokes": "mean", "plain_step": False,
            "lambda_lpips": 0.0, "refine_lpips": 0.0, "style_codes": "all", "checkpointing": False,
            "optimizer": "adam", "clip_norm": 0.0, "ema_decay": 0.0,
        }  # fmt: skip
        known |= {"ema_decay": model.hparams["ema_decay"]} if model.stage == "refine" else {}
        if (
            any(model.hparams[name] != value for name, value in known.items())
            or model.freeze_names
            or model.d_lr is not None
            or model.stage == "joint"
        ):
            return None
        networks = {name: copy.deepcopy(child) for name, child in model.named_children() if name != "ema"}
        optimizers = {name: tuple(of) for name, of in model.trained().items()}
        weights = {name: value for name, value in model.hparams.items() if isinstance(value, int | float)}
        plain = cls(networks, optimizers, model.lr, model.betas, weights)
        if model.stage == "tom":
            model.hold_features()
            vgg = model.held["features"]
            layers = model.content_layer, *model.gram_layers
            return lambda batch: plain.tom_step(
                batch["a"],
                batch["b"],
                lambda x: vgg.taps(x, layers),  # type: ignore[operator]
            )
        if model.stage == "refine":

            def refine_step(batch: "Batch") -> object:
                sketch, small = (resized(batch[key], model.size) for key in ("a", "b"))
                return plain.refine_step(sketch, small, batch["b"], list(model.draw(batch).values()))

            return refine_step
        return lambda batch: plain.autoencoder_step(batch, model.draw(batch))

    def move(self, name: str, loss: Tensor) -> None:
        self.optimizers[name].zero_grad()
        loss.backward()
        self.optimizers[name].step()

    # TOM ------------------------------------------------------------------------------------------------------------

    def tom_step(self, I_c: Tensor, I_s: Tensor, vgg: Callable[[Tensor], list[Tensor]]) -> dict[str, Tensor]:
        """An update of D_T and one of T; `vgg`: the content layer's features, then those of the Gram matrices."""
        T, D_T = self.networks["T"], self.networks["D_T"]
        with torch.no_grad():
            content, (style, *sketch) = vgg(I_c)[0], vgg(I_s)
        shape = content.shape[0], content.shape[1], 1, 1
        mean, std = style.mean((2, 3)).view(shape), (style.var((2, 3)) + 1e-5).sqrt().view(shape)
        own_mean, own_std = content.mean((2, 3)).view(shape), (content.var((2, 3)) + 1e-5).sqrt().view(shape)
        target = std * (content - own_mean) / own_std + mean
        fake, *fakes = vgg(T(content))
        losses = {
            "D_T": F.relu(1 - D_T([self.gram(f) for f in sketch])).mean()
            + F.relu(1 + D_T([self.gram(f).detach() for f in fakes])).mean()
        }
        self.move("D_T", losses["D_T"])
        of_gram = torch.zeros(())
        for f, s in zip(fakes, sketch, strict=True):
            both = [x.reshape(-1, x.shape[2] * x.shape[3]) for x in (f, s)]
            of_gram = of_gram + ((both[0] @ both[0].T - both[1] @ both[1].T) / f.numel()).square().mean()
        losses |= {
            "T": -D_T([self.gram(f) for f in fakes]).mean(),
            "T_content": self.weights["lambda_content"] * (fake - target).square().mean(),
            "T_gram": self.weights["lambda_gram"] * of_gram,
        }
        self.move("T", losses["T"] + losses["T_content"] + losses["T_gram"])
        return losses

    def gram(self, f: Tensor) -> Tensor:
        """Of each picture."""
        return torch.einsum("bchw,bdhw->bcd", f, f) / f[0].numel()

    # The auto-encoder -----------------------------------------------------------------------------------------------

    def autoencoder_step(self, batch: "Batch", drawn: dict[str, Tensor]) -> dict[str, Tensor]:
        """An update of S, C, G1 and the head, on the views, negatives and strokes that are drawn."""
        S, C, G1, head = (self.networks.get(name) for name in ("S", "C", "G1", "head"))
        assert S is not None
        assert C is not None
        assert G1 is not None
        photo, weights, negative = batch["b"], self.weights, drawn.get("negative")
        f_t = S(viewed(photo, drawn["view"]))
        losses: dict[str, Tensor] = {}
        if weights["lambda_tri_s"] > 0:
            terms = []
            for t, org in zip(f_t, S(photo), strict=True):
                org = org.detach()
                near, far = F.cosine_similarity(t, org), F.cosine_similarity(t, org[negative])
                terms.append((far - near + weights["alpha"]).clamp(min=0).mean())
            losses["tri_s"] = weights["lambda_tri_s"] * torch.stack(terms).sum()
        strokes = [*batch["drawings"].unbind(1), batch["sibling"]]
        if weights["lambda_tri_c"] > 0:
            terms, c_org = [], [c.detach() for c in C(strokes[0])]
            for stroke in strokes[1:]:
                for t, org in zip(C(stroke), c_org, strict=True):
                    near, far = ((t - other).square().mean((1, 2, 3)) for other in (org, org[negative]))
                    terms.append((near - far + weights["beta"]).clamp(min=0).mean())
            losses["tri_c"] = weights["lambda_tri_c"] * torch.stack(terms).sum() / 4
        chosen = torch.stack([strokes[number][row] for row, number in enumerate(drawn["stroke"].tolist())])
        losses["rec"] = weights["lambda_rec"] * (G1(C(chosen), f_t, chosen) - photo).square().mean()
        classes = batch.get("classes")
        if weights["lambda_cls_s"] > 0:
            assert head is not None
            views = S(viewed(batch["subset"], drawn["subset_view"]))[-1], S(batch["subset"])[-1]
            entropies = [F.cross_entropy(head(f)[:, :classes], batch["subset_label"]) for f in views]
            losses["cls_s"] = weights["lambda_cls_s"] * torch.stack(entropies).sum()
        if weights["lambda_cls_c"] > 0:
            assert head is not None
            logits = head(C(batch["subset_drawing"])[-1].mean((2, 3)))[:, :classes]
            apart = (logits.softmax(1) - 1 / logits.shape[1]).square().sum(1).mean()
            losses["cls_c"] = weights["lambda_cls_c"] * apart
        self.optimizers["AE"].zero_grad()
        total = torch.stack(list(losses.values())).sum()
        if "cls_c" in losses:  # which moves C alone
            total = total - losses["cls_c"]
            total.backward(retain_graph=True)
            of_content = list(C.parameters())
            gradients = torch.autograd.grad(losses["cls_c"], of_content, allow_unused=True)
            for weight, gradient in zip(of_content, gradients, strict=True):
                if gradient is not None:
                    weight.grad = gradient if weight.grad is None else weight.grad + gradient
        else:
            total.backward()
        self.optimizers["AE"].step()
        return losses

    # Refinement -----------------------------------------------------------------------------------------------------

    def refine_step(self, sketch: Tensor, small: Tensor, photo: Tensor, noise: list[Tensor]) -> dict[str, Tensor]:
        """An update of D and one of G2; the auto-encoder, of sketches and small photos, is in eval mode."""
        S, C, G1, G2, D = (self.networks[name] for name in ("S", "C", "G1", "G2", "D"))
        with torch.no_grad():
            styles = S(small)
            rough = G1(C(sketch), styles, sketch)
        fake = G2(rough, styles, noise)
        losses = {"D": F.relu(1 - D(photo)).mean() + F.relu(1 + D(fake.detach())).mean()}
        self.move("D", losses["D"])
        losses |= {"G2": -D(fake).mean(), "rec": self.weights["lambda_refine"] * (fake - photo).square().mean()}
        self.move("G2", losses["G2"] + losses["rec"])
        return losses
