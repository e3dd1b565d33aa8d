import hashlib

import pytest
import torch
from PIL import Image
from torch import Tensor

from suite.metrics import dinov2
from suite.metrics.dinov2 import DINOv2, VisionTransformer, as_shown
from suite.networks import weights


def drawn(network: VisionTransformer, seed: int = 0) -> VisionTransformer:
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return network.eval()


def torchvisions(network: VisionTransformer, positions: Tensor, side: int, heads: int) -> torch.nn.Module:
    """torchvision's transformer of the same weights; it has no layer scale, so that goes into the layer before."""
    from torchvision.models import VisionTransformer as Reference

    own, width, depth = network.state_dict(), network.cls_token.shape[2], len(network.blocks)
    renamed = {
        "class_token": own["cls_token"],
        "encoder.pos_embedding": positions,
        **{f"conv_proj.{kind}": own[f"patch_embed.proj.{kind}"] for kind in ("weight", "bias")},
        **{f"encoder.ln.{kind}": own[f"norm.{kind}"] for kind in ("weight", "bias")},
    }
    for number in range(depth):
        ours, theirs = f"blocks.{number}", f"encoder.layers.encoder_layer_{number}"
        for kind in ("weight", "bias"):
            scale_1, scale_2 = own[f"{ours}.ls1.gamma"], own[f"{ours}.ls2.gamma"]
            across = (slice(None), None) if kind == "weight" else slice(None)
            renamed |= {
                f"{theirs}.ln_1.{kind}": own[f"{ours}.norm1.{kind}"],
                f"{theirs}.ln_2.{kind}": own[f"{ours}.norm2.{kind}"],
                f"{theirs}.self_attention.in_proj_{kind}": own[f"{ours}.attn.qkv.{kind}"],
                f"{theirs}.self_attention.out_proj.{kind}": own[f"{ours}.attn.proj.{kind}"] * scale_1[across],
                f"{theirs}.mlp.0.{kind}": own[f"{ours}.mlp.fc1.{kind}"],
                f"{theirs}.mlp.3.{kind}": own[f"{ours}.mlp.fc2.{kind}"] * scale_2[across],
            }
    reference = Reference(image_size=side, patch_size=14, num_layers=depth, num_heads=heads, hidden_dim=width,
                          mlp_dim=4 * width, num_classes=1)  # fmt: skip
    reference.heads = torch.nn.Identity()
    reference.load_state_dict(renamed)
    return reference.eval()


def test_it_is_torchvisions_transformer_with_layer_scale():
    network = drawn(VisionTransformer(width=24, depth=3, heads=4, grid=3))
    pictures = torch.randn(2, 3, 42, 42, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = torchvisions(network, network.pos_embed, 42, heads=4)(pictures)
        torch.testing.assert_close(network(pictures), expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.1


def test_positions_are_interpolated_as_dinov2_does():
    """By the size of 37 positions a side to 16, whose sampling points lie 37 / 16.1 apart."""
    network = drawn(VisionTransformer(width=2, depth=1, heads=1, grid=37))
    found = network._positions(16, 16)
    assert torch.equal(found[:, 0], network.pos_embed[:, 0])
    square = network.pos_embed[0, 1:, 0].detach().double().view(37, 37)
    expected = torch.stack([bicubic(square, row) for row in range(16)])  # along the columns, then along the rows
    expected = torch.stack([bicubic(expected.T, column) for column in range(16)]).T
    torch.testing.assert_close(found[0, 1:, 0].view(16, 16).double(), expected, rtol=1e-4, atol=1e-4)


def bicubic(lines: Tensor, place: int) -> Tensor:
    """Keys' kernel with a = -0.75 over the first dimension (37, N), its ends repeated: (N,)."""
    at = (place + 0.5) * 37 / 16.1 - 0.5
    total = torch.zeros_like(lines[0])
    for near in range(int(at) - 1, int(at) + 3):
        t = abs(at - near)
        weight = 1.25 * t**3 - 2.25 * t**2 + 1 if t <= 1 else -0.75 * (t**3 - 5 * t**2 + 8 * t - 4)
        total += weight * lines[min(max(near, 0), 36)]
    return total


def test_its_weights_are_those_of_the_published_file():
    """304,368,640 parameters of float32 leave 326 bytes for each of the 343 names of its 1,217,586,395 bytes."""
    with torch.device("meta"):
        network = VisionTransformer(width=1024, depth=24, heads=16)
    sizes = {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}
    assert sum(parameter.numel() for parameter in network.parameters()) == 304_368_640
    assert len(network.state_dict()) == 343
    beside = {"cls_token", "pos_embed", "mask_token", "patch_embed.proj.weight", "patch_embed.proj.bias", "norm.weight",
              "norm.bias"}  # fmt: skip
    assert {name for name in sizes if not name.startswith("blocks.")} == beside
    assert sizes["pos_embed"] == (1, 1370, 1024)
    assert sizes["patch_embed.proj.weight"] == (1024, 3, 14, 14)
    of_last = {name.removeprefix("blocks.23."): shape for name, shape in sizes.items() if name.startswith("blocks.23.")}
    layers = {"norm1": (1024,), "attn.qkv": (3072, 1024), "attn.proj": (1024, 1024), "norm2": (1024,),
              "mlp.fc1": (4096, 1024), "mlp.fc2": (1024, 4096)}  # fmt: skip
    assert of_last == {
        **{f"{layer}.weight": shape for layer, shape in layers.items()},
        **{f"{layer}.bias": shape[:1] for layer, shape in layers.items()},
        **{f"{scale}.gamma": (1024,) for scale in ("ls1", "ls2")},
    }


@pytest.mark.parametrize("side", [32, 300])
def test_pictures_are_shown_as_pillow_resizes_them(side, toys):
    picture = toys.make_pictures(1, seed=3, size=side)
    picture[:, :, : side // 2, : side // 3] = 255  # an edge, where bicubic overshoots
    resized = Image.fromarray(picture[0].permute(1, 2, 0).numpy()).resize((224, 224), Image.Resampling.BICUBIC)
    expected = torch.tensor(list(resized.tobytes())).view(224, 224, 3).permute(2, 0, 1).float()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    found = (as_shown(picture)[0] * std[:, None, None] + mean[:, None, None]) * 255
    assert (found - expected).abs().max() <= 1 + 1e-3  # Pillow's weights are of 22 bits
    assert (found - expected).abs().mean() < 1e-3


def test_a_checked_file_is_loaded_whole_and_measured_by(toys, tmp_path, monkeypatch, metrics, evaluated, data):
    def small(width: int, depth: int, heads: int) -> VisionTransformer:
        return VisionTransformer(width=16, depth=2, heads=2, grid=4)

    with torch.random.fork_rng():
        state = drawn(small(0, 0, 0)).state_dict()
    torch.save(state, tmp_path / "dinov2_vitl14_pretrain.pth")
    digest = hashlib.sha256((tmp_path / "dinov2_vitl14_pretrain.pth").read_bytes()).hexdigest()
    published = weights.WEIGHTS["dinov2"]
    monkeypatch.setitem(weights.WEIGHTS, "dinov2", type(published)(**{**vars(published), "sha256": digest}))
    monkeypatch.setattr(dinov2, "VisionTransformer", small)
    monkeypatch.setattr(DINOv2, "num_features", 16)

    before = torch.get_rng_state()
    network = DINOv2(tmp_path / "dinov2_vitl14_pretrain.pth")
    assert torch.equal(before, torch.get_rng_state())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    pictures = toys.make_pictures(2, seed=4, size=40)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert network(pictures).dtype == torch.float32

    file = {"dinov2": str(tmp_path / "dinov2_vitl14_pretrain.pth")}
    callback = metrics(names=["fid", "fd_dinov2"], weights=file)
    figures = evaluated(callback, toys.Translator(), data)
    assert figures.keys() == {f"{section}/{name}" for section in ("val", "val_b2a") for name in ("fd_random_vgg",
                              "fd_dinov2")}  # fmt: skip
    fake = ((data.sides["a"] / 127.5 - 1) * 0.5 + 1).mul(127.5).round().to(torch.uint8)
    expected = distance(callback.dinov2(data.sides["b"]), callback.dinov2(fake))
    assert figures["val/fd_dinov2"] == pytest.approx(expected, rel=1e-3)

    torch.save({name: tensor for name, tensor in state.items() if name != "mask_token"}, tmp_path / "less.pth")
    with pytest.raises(RuntimeError, match="mask_token"):
        DINOv2(tmp_path / "less.pth")


def distance(real: Tensor, fake: Tensor) -> float:
    from suite.metrics.distances import frechet_distance

    return frechet_distance(real, fake)
