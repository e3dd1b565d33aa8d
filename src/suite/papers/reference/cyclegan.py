"""CycleGAN's step as it was published: Zhu 2017, sections 3 and 4, in the order of the authors' released code."""

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


def is_published(model: "GAN") -> bool:
    """Whether the authors' released code can train with such settings: with a plain game, and with Adam."""
    game = model.adversarial
    plain = game.loss in ("vanilla", "lsgan") and game.critic_steps == 1 and game.penalty == "none"
    plain = plain and game.weight_clip == 0 and model.clip_norm == 0 and not model.freeze_names
    return plain and model.optimizer == "adam" and model.d_lr is None


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
        if not is_published(model) or model.adversarial.real_label != 1:
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
