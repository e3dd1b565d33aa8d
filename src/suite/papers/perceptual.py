"""What papers add to `Paper` whose loss sees pictures through a frozen VGG."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import Tensor
from torch.optim import Optimizer

from suite.arguments import File
from suite.data.batch import Batch
from suite.errors import UserError
from suite.networks import weights
from suite.networks.layers import Width
from suite.networks.vgg import VGG, VGG_WIDTH
from suite.papers.base import Paper
from suite.papers.translation import Translation, between_sides, of_target


class PerceptualPaper(Paper):
    """Base of papers that turn sketches into photos and compare those by features.

    The feature network is there once something is trained, and never to translate. Its weights are in no checkpoint;
    which they are is, and a run goes on with no others, nor does a stage that builds on an earlier one. Raises
    UserError for a width that the published weights lack.
    """

    depth: ClassVar[Literal[16, 19]]  # of the VGG
    layer: str  # of it, whose features are compared; of several the deepest

    def __init__(
        self,
        *,
        features: Literal["vgg", "random_vgg"],
        features_width: Width,
        features_weights: File | None,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.published_features = features == "vgg"
        self.features_width, self.features_weights = features_width, features_weights
        self._features_before: str | None = None  # of the checkpoint that training goes on from, or builds on
        if self.published_features and features_width != VGG_WIDTH:
            raise UserError(
                f"model.features_width={features_width}: VGG's published weights are {VGG_WIDTH} wide; "
                "leave it out, or set model.features=random_vgg"
            )

    def features(self, pictures: Tensor) -> Tensor:
        """Phi of the paper: (B, 1 or 3, H, W) in [-1, 1] to (B, C, H', W')."""
        return self.held["features"](pictures)

    def predict(self, batch: Batch) -> list[Translation]:
        """Photos of the source's sketches, and of those of the target style, where the data have them."""
        found = [between_sides(batch, "a2b", self.translate(batch), luma_where_grey=True)]
        if "target" in batch:
            found.append(of_target(batch, self.translate(batch["target"])))
        return found

    def find_weights(self) -> None:
        """Raises UserError where the published ones can't be had, or a checkpoint was trained with others."""
        self.hold_features()

    def hold_features(self) -> None:
        """Load the feature network, where it is not there yet. Raises as `find_weights` does."""
        if "features" in self.held:
            return
        vgg = VGG(self.depth, self.layer, self._weights_file(), self.features_width)
        if self._features_before not in (None, vgg.identity):
            raise UserError(
                f"model.features: the checkpoint was trained with {self._features_before}, not with {vgg.identity}; "
                "go on with the same ones"
            )
        self.held["features"] = vgg.to(self.device)

    def _weights_file(self) -> Path | None:
        if not self.published_features:
            return None
        name, without = f"vgg{self.depth}", "model.features=random_vgg"
        return weights.find(name, self.features_weights, option="model.features_weights", without=without)

    def configure_optimizers(self) -> list[Optimizer]:
        self.hold_features()  # whoever trains makes these first, in a run and by hand
        return super().configure_optimizers()

    def summary(self) -> dict[str, str]:
        return super().summary() | {
            "features": f"{'' if self.published_features else 'random '}vgg{self.depth} {self.layer}"
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        if "features" in self.held:
            checkpoint["features"] = self.held["features"].identity

    def start_after(self, checkpoint: Mapping[str, Any]) -> None:
        self._features_before = checkpoint.get("features")  # else networks that rest would see foreign ones

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self._features_before = checkpoint.get("features")
