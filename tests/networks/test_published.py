"""`suite.networks.published` against networks put together as the published code has them, with its names."""

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from theirs import NORMS, with_contrast
from torch import Tensor, nn

from suite.errors import UserError
from suite.networks.build import build_discriminator, build_generator
from suite.networks.layers import keep_training_behaviour
from suite.networks.published import PublishedGenerator, read_published, recognise


class TheirBlock(nn.Module):
    def __init__(self, channels: int, norm: str, dropout: bool) -> None:
        super().__init__()
        half = lambda: [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias="instance" in norm)]  # noqa: E731
        layers = [*half(), NORMS[norm](channels), nn.ReLU(True)]
        layers += [nn.Dropout(0.5)] if dropout else []
        self.conv_block = nn.Sequential(*layers, *half(), NORMS[norm](channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class TheirResNet(nn.Module):
    def __init__(self, a: int, b: int, blocks: int, width: int, norm: str, dropout: bool) -> None:
        super().__init__()
        bias = "instance" in norm
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(a, width, 7, bias=bias), NORMS[norm](width), nn.ReLU(True)]
        for n in (width, 2 * width):
            layers += [nn.Conv2d(n, 2 * n, 3, 2, 1, bias=bias), NORMS[norm](2 * n), nn.ReLU(True)]
        layers += [TheirBlock(4 * width, norm, dropout) for _ in range(blocks)]
        for n in (2 * width, width):
            layers += [nn.ConvTranspose2d(2 * n, n, 3, 2, 1, 1, bias=bias), NORMS[norm](n), nn.ReLU(True)]
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, b, 7), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class TheirLevel(nn.Module):
    """One level of the U-Net around the next: `outer` channels at its border, `inner` inside."""

    def __init__(self, outer: int, inner: int, norm: str, within: nn.Module | None, dropout: bool = False) -> None:
        super().__init__()
        bias = "instance" in norm
        layers = [nn.LeakyReLU(0.2, True), nn.Conv2d(outer, inner, 4, 2, 1, bias=bias)]
        layers += [NORMS[norm](inner), within] if within else []
        up = nn.ConvTranspose2d(2 * inner if within else inner, outer, 4, 2, 1, bias=bias)
        layers += [nn.ReLU(True), up, NORMS[norm](outer)]
        self.model = nn.Sequential(*layers, *([nn.Dropout(0.5)] if dropout else []))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.model(x)], 1)


class TheirOutermost(nn.Module):
    def __init__(self, a: int, b: int, width: int, norm: str, within: nn.Module) -> None:
        super().__init__()
        down = nn.Conv2d(a, width, 4, 2, 1, bias="instance" in norm)
        self.model = nn.Sequential(down, within, nn.ReLU(True), nn.ConvTranspose2d(2 * width, b, 4, 2, 1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class TheirUNet(nn.Module):
    def __init__(self, a: int, b: int, downs: int, width: int, norm: str, dropout: bool) -> None:
        super().__init__()
        level: nn.Module = TheirLevel(8 * width, 8 * width, norm, None)
        for _ in range(downs - 5):
            level = TheirLevel(8 * width, 8 * width, norm, level, dropout)
        for factor in (4, 2, 1):
            level = TheirLevel(factor * width, 2 * factor * width, norm, level)
        self.model = TheirOutermost(a, b, width, norm, level)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def ours(found: PublishedGenerator) -> nn.Module:
    architecture = found.architecture
    network = build_generator(architecture.backbone, architecture.in_channels, architecture.out_channels)
    network.load_state_dict(found.weights)
    return network.double().eval()


def resnet(blocks: int = 1, norm: str = "instance", dropout: bool = False, a: int = 3, b: int = 3) -> nn.Module:
    return with_contrast(TheirResNet(a, b, blocks, 4, norm, dropout))


def unet(downs: int = 5, norm: str = "batch", dropout: bool = True, a: int = 3, b: int = 3) -> nn.Module:
    return with_contrast(TheirUNet(a, b, downs, 4, norm, dropout))


def spectral(network: nn.Module, norm: Callable[[nn.Module], nn.Module]) -> dict[str, Tensor]:
    """Its state_dict with that norm on every convolution, its singular vectors as a training leaves them."""
    for layer in [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]:
        norm(layer)
    with torch.no_grad():
        network.train()(torch.rand(1, 3, 64, 64))
    return network.eval().state_dict()


def named(prefix: str, network: nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in network.state_dict().items()}


def zero_padded() -> dict[str, Tensor]:
    """Its blocks have no layer that pads: the convolutions are 0 and 3."""
    moved = {"conv_block.1.": "conv_block.0.", "conv_block.5.": "conv_block.3."}
    state = resnet().state_dict()
    for old, new in moved.items():
        state = {name.replace(old, new): value for name, value in state.items()}
    return state


# What is recognised, and that it computes the same: in fp64, as rounding grows through 9 blocks of large weights -----


@pytest.mark.parametrize(
    ("make", "settings", "side", "description"),
    [
        (resnet, {"blocks": 9}, 32, "ResNet, 9 blocks, width 4, instance norm, 3 to 3"),
        (resnet, {"blocks": 9, "norm": "batch", "dropout": True}, 32, "ResNet, 9 blocks, width 4, batch norm, dropout"),
        (resnet, {"blocks": 9, "norm": "batch"}, 32, "ResNet, 9 blocks, width 4, batch norm, 3 to 3 channels"),
        (resnet, {"blocks": 9, "dropout": True}, 32, "ResNet, 9 blocks, width 4, instance norm, dropout, 3 to 3"),
        (resnet, {"blocks": 6, "a": 1}, 32, "ResNet, 6 blocks, width 4, instance norm, 1 to 3 channels"),
        (resnet, {"blocks": 6, "norm": "none", "b": 1}, 32, "ResNet, 6 blocks, width 4, no norm, 3 to 1 channels"),
        (unet, {"downs": 8}, 256, "U-Net, 8 halvings, width 4, batch norm, dropout, 3 to 3 channels"),
        (unet, {"downs": 7, "norm": "instance", "a": 1}, 128, "U-Net, 7 halvings, width 4, instance norm, dropout, 1"),
        (unet, {"downs": 7, "b": 1}, 128, "U-Net, 7 halvings, width 4, batch norm, dropout, 3 to 1 channels"),
        (unet, {"downs": 5, "norm": "none"}, 64, "U-Net, 5 halvings, width 4, no norm, dropout, 3 to 3 channels"),
    ],
)
def test_the_same_pictures_after_import(make, settings: dict, side: int, description: str) -> None:
    theirs = make(**settings)
    found = recognise(theirs.state_dict())
    assert str(found).startswith(description)
    if settings.get("norm") != "none":  # where ours has biases, of 0
        assert str(found).endswith(f": {sum(weight.numel() for weight in theirs.parameters()):,} weights")
    x = torch.rand(2, settings.get("a", 3), side, side, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        expected = theirs.double()(x)
        assert expected.std() > 0.1
        torch.testing.assert_close(ours(found)(x), expected, atol=1e-10, rtol=0)


def test_the_same_pictures_as_its_test_script_makes_in_training_mode() -> None:
    theirs = unet(downs=7)
    network = ours(recognise(theirs.state_dict()))
    keep_training_behaviour(network)
    x = torch.rand(1, 3, 128, 128, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        torch.manual_seed(1)
        expected = theirs.double().train()(x)
        torch.manual_seed(1)
        torch.testing.assert_close(network(x), expected, atol=1e-10, rtol=0)
        assert not torch.allclose(network.eval()(x), expected, atol=0.1)


@pytest.mark.parametrize("make", [resnet, unet])
def test_statistics_of_old_instance_norms_are_dropped(make) -> None:
    old, new = make(norm="old instance").state_dict(), make(norm="instance").state_dict()
    assert len(old) > len(new)
    found = recognise(old)
    assert found.architecture == recognise(new).architecture
    assert not any("running" in name or "batches" in name for name in found.weights)
    x = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    theirs = make(norm="instance")
    theirs.load_state_dict({name: value for name, value in old.items() if name in new})
    torch.testing.assert_close(ours(found)(x), theirs.double()(x), atol=1e-10, rtol=0)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
@pytest.mark.parametrize("make", [resnet, unet])
def test_prefixes_are_dropped(make, prefix: str) -> None:
    state = make().state_dict()
    found = recognise({f"{prefix}{name}": value for name, value in state.items()})
    assert found.architecture == recognise(state).architecture
    assert found.weights.keys() == recognise(state).weights.keys()


@pytest.mark.parametrize("make", [resnet, unet])
@pytest.mark.parametrize("place", ["state_dict", "model", "state_dict.generator", "state_dict.model", "G.module"])
def test_a_generator_is_found_within_a_checkpoint(make, place: str, tmp_path: Path) -> None:
    state = make().state_dict()
    where, _, prefix = place.partition(".")
    inner = {f"{prefix}.{name}" if prefix else name: value for name, value in state.items()}
    inner |= named("netD.", build_discriminator({"name": "patch"}, 3).layers)
    optimizer = {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 2e-4}]}
    torch.save({"epoch": 3, where: inner, "optimizer_states": [optimizer]}, tmp_path / "last.ckpt")
    found = read_published(tmp_path / "last.ckpt")
    assert found.architecture == recognise(state).architecture
    for name, weight in recognise(state).weights.items():
        assert torch.equal(found.weights[name], weight)


@pytest.mark.parametrize("norm", [nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm])
@pytest.mark.parametrize("make", [resnet, unet])
def test_spectral_norms_are_divided_out(make, norm) -> None:
    theirs = make(norm="instance")
    plain = theirs.state_dict()
    convolutions = [name.removesuffix(".weight") for name, weight in plain.items() if weight.ndim == 4]
    state = spectral(theirs, norm)
    used = {f"{name}.weight": theirs.get_submodule(name).weight.detach() for name in convolutions}
    found, expected = recognise(state).weights, recognise(plain | used).weights
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, atol=1e-6, rtol=1e-5)
        assert weight.ndim < 4 or (weight - recognise(plain).weights[name]).abs().max() > 1e-3


def test_batch_norms_of_before_there_was_a_counter() -> None:
    state = unet().state_dict()
    without = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    assert len(without) < len(state)
    x = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(ours(recognise(without))(x), ours(recognise(state))(x))


def test_what_a_unet_does_not_show_can_be_said() -> None:
    state = unet().state_dict()
    assert recognise(state).architecture.backbone["dropout"] == 0.5
    assert recognise(state, dropout=False).architecture.backbone["dropout"] == 0
    of_norms = unet(norm="instance").state_dict()  # make the same in both modes, unless there is dropout
    assert [recognise(of_norms, dropout).architecture.differs_in_training for dropout in (True, False)] == [True, False]
    with pytest.raises(ValueError, match="shows by itself that its ResNet has no dropout: leave dropout=true out"):
        recognise(resnet().state_dict(), dropout=True)


# What is refused -----------------------------------------------------------------------------------------------------


def changed(state: dict, name: str, value: Tensor | None) -> dict:
    rest = {key: weight for key, weight in state.items() if key != name}
    return rest if value is None else rest | {name: value}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (changed(resnet().state_dict(), "model.4.weight", None), "1 blocks.*, but model.4.weight is missing$"),
        (changed(resnet().state_dict(), "model.1.weight", None), "model.1.weight is missing"),
        (changed(resnet(norm="none").state_dict(), "model.18.bias", None), "model.18.bias is missing"),
        (changed(resnet().state_dict(), "model.7.weight", torch.zeros(2, 3, 3)), "7.weight is 2x3x3, not 16x8x3x3"),
        (changed(resnet().state_dict(), "model.5.gain", torch.zeros(2)), "model.5.gain is one too many"),
        (changed(resnet().state_dict(), "model.5.filt", torch.zeros(2)), "is a generator of CUT"),
        (changed(unet().state_dict(), "model.model.1.model.6.weight", None), r"model\.1\.model\.6\.weight is missing"),
        (changed(unet().state_dict(), "model.model.0.weight", torch.zeros(4)), "model.model.0.weight is missing or no"),
        (resnet(a=2).state_dict(), "has 2 input channels"),
        (changed(resnet().state_dict(), "model.4.bias", torch.full([8], torch.nan)), "not finite, as model.4.bias:"),
        (changed(unet().state_dict(), "model.model.0.weight", torch.full([4, 3, 4, 4], torch.inf)), "are not finite"),
        (resnet(norm="affine instance").state_dict(), r"InstanceNorm with weights of its own \(affine=True\)"),
        (unet(norm="affine instance").state_dict(), r"InstanceNorm with weights of its own \(affine=True\)"),
        (zero_padded(), "is a ResNet with padding_type=zero: its blocks pad with zeros"),
        (named("netG_A.", resnet()) | named("netG_B.", unet()), "holds 2 generators, netG_A, netG_B: save the state_"),
        (changed(spectral(resnet(), nn.utils.spectral_norm), "model.4.weight_u", None), "model.4.weight_u is missing"),
        (unet(b=4).state_dict(), "has 4 output channels"),
        ({"model.0.weight": torch.zeros(4, 3, 4, 4)}, "is a discriminator: give the generator"),
        ({"net.0.weight": torch.zeros(4, 3, 1, 1)}, "is a discriminator: give the generator"),
        ({"conv1.weight": torch.zeros(4, 3, 7, 7), "fc.bias": torch.zeros(1)}, "named conv1.weight, fc.bias, …"),
        (build_generator({"name": "resnet", "blocks": 1, "width": 4}, 3, 3).state_dict(), "is no generator of pytorch"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(state: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        recognise(state)


def test_several_faults_are_counted() -> None:
    state = resnet().state_dict()
    with pytest.raises(ValueError, match=r"model.4.weight is missing, and 1 more do not fit$"):
        recognise(changed(changed(state, "model.4.weight", None), "model.7.weight", None))


class Foreign:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_files_are_read_and_damaged_ones_refused(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "latest_net_G.pth"
    state = OrderedDict(resnet().state_dict())
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    found = read_published(path)
    assert torch.equal(found.weights["layers.1.weight"], state["model.1.weight"])
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(UserError, match=f"^{path} is damaged or not a file of torch.save: fetch it again$"):
        read_published(path)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_code_in_a_file_is_not_run(tmp_path: Path, zipped: bool) -> None:
    path, witness = tmp_path / "latest_net_G.pth", tmp_path / "witness"
    torch.save(resnet().state_dict() | {"more": Foreign(witness)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=f"^{path} is refused: it holds more than weights .*; if you trust it, save"):
        read_published(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (resnet(), "is refused: it holds more than weights"),  # the whole network, not its state_dict
        ({"state_dict": {"epoch": 3}}, "holds no state_dict"),
        ({}, "holds no state_dict"),
        (torch.zeros(3), "holds no state_dict"),
        ({0: torch.zeros(3)}, "holds no state_dict"),
        ({"paper": "suite.papers.cyclegan.CycleGAN"}, "is a checkpoint of this suite already"),
        (build_discriminator({"name": "patch"}, 3).layers.state_dict(), "is no generator"),
    ],
)
def test_other_files_of_torch_are_refused(tmp_path: Path, content, reason: str) -> None:
    path = tmp_path / "latest_net_G.pth"
    torch.save(content, path)
    with pytest.raises(UserError, match=f"^{path} {reason}"):
        read_published(path)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", pickle.dumps({"model": 1}), b"PK\x03\x04"])
def test_files_that_are_none_of_torch(tmp_path: Path, content: bytes, recwarn: pytest.WarningsRecorder) -> None:
    path = tmp_path / "latest_net_G.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{path} is damaged or not a file of torch.save: fetch it again$"):
        read_published(path)
    assert not recwarn.list


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^can't read {tmp_path}: Is a directory$"):
        read_published(tmp_path)
