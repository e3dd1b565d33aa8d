"""`suite.networks.published_discriminators` against networks put together as the published code has them."""

from pathlib import Path

import pytest
import torch
from theirs import NORMS, with_contrast
from torch import Tensor, nn

from suite.errors import UserError
from suite.networks.build import build_discriminator, build_generator
from suite.networks.published_discriminators import read_discriminator, recognise_discriminator


class TheirPatchGAN(nn.Module):
    """netD basic (layers=3) and n_layers."""

    def __init__(self, channels: int, layers: int, width: int, norm: str) -> None:
        super().__init__()
        parts = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        before = width
        for level in range(1, layers + 1):
            after = width * min(2**level, 8)
            parts.append(nn.Conv2d(before, after, 4, 2 if level < layers else 1, 1, bias="instance" in norm))
            parts += [NORMS[norm](after), nn.LeakyReLU(0.2, True)]
            before = after
        self.model = nn.Sequential(*parts, nn.Conv2d(before, 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class TheirPixelGAN(nn.Module):
    """netD pixel."""

    def __init__(self, channels: int, width: int, norm: str) -> None:
        super().__init__()
        bias = "instance" in norm
        self.net = nn.Sequential(
            nn.Conv2d(channels, width, 1),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(width, 2 * width, 1, bias=bias),
            NORMS[norm](2 * width),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(2 * width, 1, 1, bias=bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def patch(channels: int = 3, layers: int = 3, norm: str = "instance", width: int = 4) -> nn.Module:
    return with_contrast(TheirPatchGAN(channels, layers, width, norm))


def pixel(channels: int = 3, norm: str = "instance") -> nn.Module:
    return with_contrast(TheirPixelGAN(channels, 4, norm))


@pytest.mark.parametrize(
    ("theirs", "channels", "description"),
    [
        (patch(), 3, "PatchGAN of 70 pixels, width 4, instance norm, 3 channels"),
        (patch(6, norm="batch"), 6, "PatchGAN of 70 pixels, width 4, batch norm, 6 channels"),
        (patch(1, layers=1), 1, "PatchGAN of 16 pixels, width 4, instance norm, 1 channels"),
        (patch(4, layers=5, norm="batch"), 4, "PatchGAN of 286 pixels, width 4, batch norm, 4 channels"),
        (patch(2, layers=2, norm="none"), 2, "PatchGAN of 34 pixels, width 4, no norm, 2 channels"),
        (pixel(), 3, "PixelGAN, width 4, instance norm, 3 channels"),
        (pixel(6, norm="batch"), 6, "PixelGAN, width 4, batch norm, 6 channels"),
        (pixel(norm="none"), 3, "PixelGAN, width 4, no norm, 3 channels"),
    ],
)
def test_the_same_logits_after_import(theirs: nn.Module, channels: int, description: str) -> None:
    found = recognise_discriminator(theirs.state_dict())
    assert str(found).startswith(description)
    ours = build_discriminator(found.architecture.discriminator, found.architecture.in_channels)
    ours.load_state_dict(found.weights)
    x = torch.rand(2, channels, 128, 128, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        expected = theirs.double()(x)
        assert expected.std() > 0.05
        torch.testing.assert_close(ours.double().eval()(x), expected, atol=1e-10, rtol=0)


def test_one_is_found_beside_generators_in_a_checkpoint_and_statistics_are_dropped(tmp_path: Path) -> None:
    state = patch(norm="old instance").state_dict()
    generator = build_generator({"name": "resnet", "blocks": 1, "width": 4}, 3, 3)
    beside = {f"netG.{name.replace('layers', 'model')}": value for name, value in generator.state_dict().items()}
    torch.save({"state_dict": {f"netD.module.{name}": value for name, value in state.items()} | beside}, tmp_path / "x")
    found, alone = read_discriminator(tmp_path / "x"), recognise_discriminator(patch().state_dict())
    assert found.architecture == alone.architecture
    assert all(
        torch.equal(found.weights[name], state[f"model.{name.removeprefix('layers.')}"]) for name in found.weights
    )


def without(state: dict, name: str) -> dict:
    return {other: value for other, value in state.items() if other != name}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (
            without(patch().state_dict(), "model.11.bias"),
            r"^looks like PatchGAN of 70 .*, but model\.11\.bias is missing$",
        ),
        (without(patch().state_dict(), "model.8.weight"), r"^looks like PatchGAN of 34 pixels, .* do not fit$"),
        (patch().state_dict() | {"model.3.gain": torch.zeros(2)}, r"model\.3\.gain is one too many"),
        (patch().state_dict() | {"model.2.bias": torch.full([8], torch.nan)}, "are not finite, as model.2.bias"),
        (patch(5).state_dict(), "^reads 5 channels: a picture has 1 or 3, and input and drawing of pix2pix 2, 4 or 6$"),
        (patch(layers=6).state_dict(), "^is no PatchGAN of 1 to 5 layers"),
        (patch(norm="affine instance").state_dict(), "has InstanceNorm with weights of its own"),
        (
            {f"{of}.{name}": value for of in ("D_A", "D_B") for name, value in patch().state_dict().items()},
            "^holds 2 discriminators, D_A, D_B: save the state_dict",
        ),
        (
            {"model.1.weight": torch.zeros(1), "model.10.conv_block.1.weight": torch.zeros(1)},
            "^is a generator: give the",
        ),
        ({"model.model.0.weight": torch.zeros(4, 3, 4, 4)}, "^is a generator: give the discriminator, as latest_net_D"),
        ({"fc.bias": torch.zeros(1)}, r"^is no discriminator of pytorch-.*: its weights are named fc\.bias, …$"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(state: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        recognise_discriminator(state)


def test_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latest_net_D.pth"
    torch.save({"fc.bias": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=f"^{path} is no discriminator"):
        read_discriminator(path)
