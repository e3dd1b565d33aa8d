"""The steps of Dong 2017 written plainly, as the authors' code has them: D, then G on the same noise; then E."""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

if TYPE_CHECKING:
    from suite.data.batch import Batch
    from suite.papers.two_step import TwoStep


class ReferenceTwoStep:
    """G, D and E, trained by `generator_step` and `encoder_step`; their weights change in place."""

    def __init__(
        self,
        G: nn.Module,
        D: nn.Module | None = None,
        E: nn.Module | None = None,
        g_steps: int = 1,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
    ) -> None:
        self.G, self.D, self.E, self.g_steps = G, D, E, g_steps
        if D is not None:
            self.opt_G = torch.optim.Adam(G.parameters(), lr, betas)
            self.opt_D = torch.optim.Adam(D.parameters(), lr, betas)
        if E is not None:
            self.opt_E = torch.optim.Adam(E.parameters(), lr, betas)

    @classmethod
    def step_of(cls, model: "TwoStep") -> "Callable[[Batch], object] | None":
        """The step on copies of a model's networks, with its settings; None where it knows none of them."""
        defaults = {
            "aux_on_fake": False, "encoder_learns": "latents", "encoder_class": False, "encoder_labels": None,
            "optimizer": "adam", "clip_norm": 0.0, "ema_decay": 0.0,
        }  # fmt: skip
        if any(model.hparams[name] != value for name, value in defaults.items()) or model.freeze_names:
            return None
        if model.stage == "joint" or model.d_lr is not None:
            return None
        G = copy.deepcopy(model.G)
        if model.stage == "encoder":
            plain = cls(G, E=copy.deepcopy(model.E), lr=model.lr, betas=model.betas)

            def encoder_step(batch: "Batch") -> object:
                count, device = len(batch["index"]), batch["index"].device
                z = model.noise(count, None, device)
                return plain.encoder_step(z, torch.randint(len(model.labels), (count,), device=device))

            return encoder_step
        plain = cls(G, D=copy.deepcopy(model.D), g_steps=model.g_steps, lr=model.lr, betas=model.betas)
        return lambda batch: plain.generator_step(
            batch["a"], batch["label"], model.noise(len(batch["a"]), None, batch["a"].device)
        )

    def generator_step(self, x: Tensor, c: Tensor, z: Tensor) -> dict[str, Tensor]:
        """An update of D and `g_steps` of G; the losses, under the paper module's names.

        x: (B, C, H, W) in [-1, 1] with the labels c (B,) int64; z: (B, latent).
        """
        assert self.D is not None
        fake = self.G(z, c).detach()
        source, of_label = self.D(x)
        source_of_fake, _ = self.D(fake)
        losses = {
            "D_source": self.judged(source, 1.0) + self.judged(source_of_fake, 0.0),
            "D_label": cross_entropy(of_label, c),
        }
        self.opt_D.zero_grad()
        (losses["D_source"] + losses["D_label"]).backward()
        self.opt_D.step()

        for _ in range(self.g_steps):
            source, of_label = self.D(self.G(z, c))
            losses |= {"G_source": self.judged(source, 1.0), "G_label": cross_entropy(of_label, c)}
            self.opt_G.zero_grad()
            (losses["G_source"] + losses["G_label"]).backward()
            self.opt_G.step()
        return losses

    def encoder_step(self, z: Tensor, c: Tensor) -> dict[str, Tensor]:
        """An update of E on G's pictures of z (B, latent) and labels c (B,)."""
        assert self.E is not None
        with torch.no_grad():
            x = self.G(z, c)
        losses = {"E": mse_loss(self.E(x), z)}
        self.opt_E.zero_grad()
        losses["E"].backward()
        self.opt_E.step()
        return losses

    @staticmethod
    def judged(logits: Tensor, label: float) -> Tensor:
        """How far D's logits are from a label: 1 for real, 0 for fake."""
        return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
