"""DA-GAN's iteration as its paper has it, written plainly: Liu 2018, Algorithm 1 with one update of each kind."""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

if TYPE_CHECKING:
    from suite.data.batch import Batch
    from suite.networks.inversion import InversionNetwork
    from suite.papers.dagan import DAGAN


class ReferenceDAGAN:
    """Inv-Net and DA-Net, trained by `step`; their weights change in place. Losses are sums over a picture."""

    def __init__(
        self,
        Inv: "InversionNetwork",
        D: nn.Module,
        features: nn.Module,
        lambda_vae: float = 1.0,
        lambda_kl: float = 1.0,
        lambda_tv: float = 1e-5,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        lr_g: float = 1e-4,
        lr_d: float = 1e-4,
        betas_adversarial: tuple[float, float] = (0.5, 0.999),
    ) -> None:
        self.Inv, self.D, self.features = Inv, D, features
        self.lambda_vae, self.lambda_kl, self.lambda_tv = lambda_vae, lambda_kl, lambda_tv
        self.opt_Inv = torch.optim.Adam(Inv.parameters(), lr, betas)
        self.opt_G = torch.optim.Adam(Inv.encoder.parameters(), lr_g, betas_adversarial)
        self.opt_D = torch.optim.Adam(D.parameters(), lr_d, betas_adversarial)

    @classmethod
    def step_of(cls, model: "DAGAN") -> "Callable[[Batch], object] | None":
        """The step on copies of a model's networks, with its settings; None where it knows none of them."""
        defaults = {
            "norm": "none", "variational": True, "da_sees": "sample", "da_loss": "bce", "da_moves": "both",
            "reduction": "sum", "inv_steps": 1, "g_steps": 1, "d_steps": 1, "optimizer": "adam", "clip_norm": 0.0,
        }  # fmt: skip
        if any(model.hparams[name] != value for name, value in defaults.items()) or model.freeze_names:
            return None
        model.hold_features()
        plain = cls(
            copy.deepcopy(model.Inv),
            copy.deepcopy(model.networks()["D"]),
            model.held["features"],
            model.lambda_vae,
            model.lambda_kl,
            model.lambda_tv,
            model.lr,
            model.betas,
            model.lr_g,
            model.rates("D")[0],
            model.betas_adversarial,
        )
        return lambda batch: plain.step(batch["a"], batch["b"], batch["target"])

    def step(self, x_S: Tensor, y_S: Tensor, x_T: Tensor) -> dict[str, Tensor]:
        """One update of Inv-Net, of the encoder, of DA-Net; the losses, under the paper module's names.

        x_S, x_T: (B, Ca, H, W) and y_S: (B, Cb, H, W) in [-1, 1].
        """
        mean, log_variance = self.Inv.encoder(x_S)
        fake = self.Inv.decoder(self.sample(mean, log_variance))
        count = len(x_S)
        of_features = mse_loss(self.features(fake), self.features(y_S), reduction="sum") / count
        of_codes = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum() / count
        down, across = fake.diff(dim=2)[..., :-1], fake.diff(dim=3)[..., :-1, :]
        variation = (down**2 + across**2 + 1e-8).sqrt().sum() / count
        losses = {
            "L_p": self.lambda_vae * of_features,
            "KL": self.lambda_vae * self.lambda_kl * of_codes,
            "TV": self.lambda_tv * variation,
        }
        self.opt_Inv.zero_grad()
        (losses["L_p"] + losses["KL"] + losses["TV"]).backward()
        self.opt_Inv.step()

        self.D.requires_grad_(False)
        on_source, on_target = (self.D(self.sample(*self.Inv.encoder(x))) for x in (x_S, x_T))
        losses["G_da"] = self.cross_entropy(on_source, 1.0) + self.cross_entropy(on_target, 0.0)
        self.opt_G.zero_grad()
        losses["G_da"].backward()
        self.opt_G.step()

        self.D.requires_grad_(True)
        with torch.no_grad():
            codes = [self.sample(*self.Inv.encoder(x)) for x in (x_S, x_T)]
        on_source, on_target = (self.D(code) for code in codes)
        losses["D"] = self.cross_entropy(on_source, 0.0) + self.cross_entropy(on_target, 1.0)
        self.opt_D.zero_grad()
        losses["D"].backward()
        self.opt_D.step()
        return losses

    @staticmethod
    def sample(mean: Tensor, log_variance: Tensor) -> Tensor:
        return mean + torch.randn_like(mean) * (0.5 * log_variance).exp()

    @staticmethod
    def cross_entropy(logits: Tensor, label: float) -> Tensor:
        """How far the logits are from a label: 1 for the target domain, 0 for the source."""
        return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
