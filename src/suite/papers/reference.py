"""CycleGAN's and pix2pix' optimizer steps as they were published: nothing joined, nothing shared, no framework.

What `papers/cyclegan.py` and `papers/pix2pix.py` compute is held to this, in value by the tests and in time by
`suite.bench`. Sources: Zhu 2017, sections 3 and 4; Isola 2017, section 3; the step order of the authors' released
training code. And of several drawings of a photo: Gao 2020, section 6.1, after Li 2019.
"""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss

if TYPE_CHECKING:
    from suite.data.batch import Batch
    from suite.papers.cyclegan import CycleGAN
    from suite.papers.gan import GAN
    from suite.papers.pix2pix import Pix2Pix


class PicturePool:
    """A list of earlier fakes (Shrivastava 2017). `size` 0 keeps none."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pictures: list[Tensor] = []

    def query(self, fakes: Tensor) -> Tensor:
        if self.size == 0:
            return fakes
        returned = []
        for fake in fakes.split(1):
            # Both are drawn for every picture, needed or not: with one seed and batch 1, `ReplayPool` draws the same.
            swap, slot = torch.rand(1).item() < 0.5, int(torch.randint(self.size, (1,)).item())
            if len(self.pictures) < self.size:
                self.pictures.append(fake)
                returned.append(fake)
            elif swap:
                returned.append(self.pictures[slot])
                self.pictures[slot] = fake
            else:
                returned.append(fake)
        return torch.cat(returned)


def _is_published(model: "GAN") -> bool:
    """Whether the authors' released code can train with such settings: with a plain game, and with Adam."""
    game = model.adversarial
    plain = game.loss in ("vanilla", "lsgan") and game.critic_steps == 1 and game.penalty == "none"
    plain = plain and game.weight_clip == 0 and model.clip_norm == 0 and not model.freeze_names
    return plain and model.optimizer == "adam"


class ReferenceCycleGAN:
    """G: A -> B and F: B -> A against D_A and D_B, trained by `step`. The weights of the four networks change in place.

    `lambda_identity` is relative to the cycle weights, as in `papers/cyclegan.py`.
    """

    def __init__(
        self,
        G: nn.Module,
        F: nn.Module,
        D_A: nn.Module,
        D_B: nn.Module,
        loss: Literal["vanilla", "lsgan"] = "lsgan",
        lambda_a: float = 10.0,
        lambda_b: float = 10.0,
        lambda_identity: float = 0.5,
        pool_size: int = 50,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
    ) -> None:
        self.G, self.F, self.D_A, self.D_B = G, F, D_A, D_B
        self.criterion = mse_loss if loss == "lsgan" else binary_cross_entropy_with_logits
        self.lambda_a, self.lambda_b, self.lambda_identity = lambda_a, lambda_b, lambda_identity
        self.pool_a, self.pool_b = PicturePool(pool_size), PicturePool(pool_size)
        self.opt_G = torch.optim.Adam([*G.parameters(), *F.parameters()], lr, betas)
        self.opt_D = torch.optim.Adam([*D_A.parameters(), *D_B.parameters()], lr, betas)

    @classmethod
    def step_of(cls, model: "CycleGAN") -> "Callable[[Batch], object] | None":
        """The published step on copies of a model's networks, with its settings; None where it knows none of them."""
        if not _is_published(model) or model.adversarial.real_label != 1:
            return None
        published = cls(
            **copy.deepcopy(model.networks()),
            loss=model.adversarial.loss,  # type: ignore[arg-type]  # one of the two, see above
            lambda_a=model.lambda_a,
            lambda_b=model.lambda_b,
            lambda_identity=model.lambda_identity,
            pool_size=model.pool_a.size,
            lr=model.lr,
            betas=model.betas,
        )
        return lambda batch: published.step(batch["a"], batch["b"])

    def step(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """One update of the generators, then one of the discriminators; the losses, under the paper module's names.

        a: (B, Ca, H, W) and b: (B, Cb, H, W) in [-1, 1].
        """
        fake_b = self.G(a)
        again_a = self.F(fake_b)
        fake_a = self.F(b)
        again_b = self.G(fake_a)

        self._train_discriminators(False)
        losses = {
            "G_adv_a": self.adversarial(self.D_A(fake_a), 1.0),
            "G_adv_b": self.adversarial(self.D_B(fake_b), 1.0),
            "cycle_a": self.lambda_a * l1_loss(again_a, a),
            "cycle_b": self.lambda_b * l1_loss(again_b, b),
        }
        if self.lambda_identity > 0:
            losses["identity_a"] = self.lambda_a * self.lambda_identity * l1_loss(self.F(a), a)
            losses["identity_b"] = self.lambda_b * self.lambda_identity * l1_loss(self.G(b), b)
        self.opt_G.zero_grad()
        sum(losses.values()).backward()  # type: ignore[union-attr]  # a sum of tensors is one
        self.opt_G.step()

        self._train_discriminators(True)
        self.opt_D.zero_grad()
        for side, D, real, fake, pool in (
            ("a", self.D_A, a, fake_a, self.pool_a),
            ("b", self.D_B, b, fake_b, self.pool_b),
        ):
            of_real = self.adversarial(D(real), 1.0)
            of_fake = self.adversarial(D(pool.query(fake.detach())), 0.0)
            losses[f"D_{side}"] = 0.5 * (of_real + of_fake)
            losses[f"D_{side}"].backward()
        self.opt_D.step()
        return losses

    def adversarial(self, logits: Tensor, label: float) -> Tensor:
        """How far the logits are from a label: 1 for real, 0 for fake."""
        return self.criterion(logits, torch.full_like(logits, label))

    def _train_discriminators(self, on: bool) -> None:
        self.D_A.requires_grad_(on)
        self.D_B.requires_grad_(on)


class ReferencePix2Pix:
    """G: x -> y against D, which sees x beside y, trained by `step`. The weights of both networks change in place.

    D judges each drawing of a photo in a pass of its own, and G is held to the closest of them. With deep supervision
    every head of G has an L1 loss of its own, the mean of them counts, and D judges the last.
    """

    def __init__(
        self,
        G: nn.Module,
        D: nn.Module,
        loss: Literal["vanilla", "lsgan"] = "vanilla",
        lambda_l1: float = 100.0,
        real_label: float = 1.0,  # what D should say of a drawing
        deep_supervision: bool = False,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
    ) -> None:
        self.G, self.D = G, D
        self.criterion = mse_loss if loss == "lsgan" else binary_cross_entropy_with_logits
        self.lambda_l1, self.real_label, self.deep_supervision = lambda_l1, real_label, deep_supervision
        self.opt_G = torch.optim.Adam(G.parameters(), lr, betas)
        self.opt_D = torch.optim.Adam(D.parameters(), lr, betas)

    @classmethod
    def step_of(cls, model: "Pix2Pix", batch: "Batch") -> "Callable[[Batch], object] | None":
        """As `ReferenceCycleGAN.step_of`. Where a batch's photos differ in how many drawings they have: None."""
        if not _is_published(model) or model.lambda_l1 == 0:
            return None
        if "drawings" in batch and (batch["drawing_count"] < batch["drawings"].shape[1]).any():
            return None
        published = cls(
            **copy.deepcopy(model.networks()),
            loss=model.adversarial.loss,  # type: ignore[arg-type]  # one of the two, see above
            lambda_l1=model.lambda_l1,
            real_label=model.adversarial.real_label,
            deep_supervision=model.deep_supervision,
            lr=model.lr,
            betas=model.betas,
        )

        def step(batch: "Batch") -> dict[str, Tensor]:
            # Erasing and noise are done to the data, before the step.
            drawings = batch["drawings"] if "drawings" in batch else batch["b"][:, None]
            return published.step(model.disturbed(batch["a"], model.draw(batch)), drawings)

        return step

    def step(self, x: Tensor, drawings: Tensor) -> dict[str, Tensor]:
        """One update of the discriminator, then one of the generator; the losses, under the paper module's names.

        x: (B, Ca, H, W) and drawings: (B, K, Cb, H, W) in [-1, 1], as many of each photo.
        """
        heads = list(self.G(x, every_head=True)) if self.deep_supervision else [self.G(x)]
        fake = heads[-1]

        self.D.requires_grad_(True)
        self.opt_D.zero_grad()
        of_fake = self.adversarial(x, fake.detach(), 0.0)
        of_real = torch.stack([self.adversarial(x, drawing, self.real_label) for drawing in drawings.unbind(dim=1)])
        losses = {"D": 0.5 * (of_fake + of_real.mean())}
        losses["D"].backward()
        self.opt_D.step()

        self.D.requires_grad_(False)
        self.opt_G.zero_grad()
        losses["G_adv"] = self.adversarial(x, fake, 1.0)
        losses["L1"] = self.lambda_l1 * torch.stack([self.closest(head, drawings) for head in heads]).mean()
        (losses["G_adv"] + losses["L1"]).backward()
        self.opt_G.step()
        return losses

    def adversarial(self, x: Tensor, y: Tensor, label: float) -> Tensor:
        """How far D's logits for y, drawn from x, are from a label: 1 for real, 0 for fake."""
        logits = self.D(torch.cat([x, y], dim=1))
        return self.criterion(logits, torch.full_like(logits, label))

    @staticmethod
    def closest(fake: Tensor, drawings: Tensor) -> Tensor:
        """The L1 distance of each fake to the drawing that is closest as a whole; their mean."""
        distances = [(fake - drawing).abs().flatten(1).mean(dim=1) for drawing in drawings.unbind(dim=1)]
        return torch.stack(distances).min(dim=0).values.mean()
