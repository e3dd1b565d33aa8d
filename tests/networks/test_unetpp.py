from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from suite.errors import UserError
from suite.networks.build import build_generator
from suite.networks.unetpp import UNetPlusPlusGenerator


def small(**changes) -> UNetPlusPlusGenerator:
    torch.manual_seed(0)
    network = build_generator({"name": "unetpp", "width": 4, "norm": "none", **changes}, 3, 1, supervises_heads=True)
    assert isinstance(network, UNetPlusPlusGenerator)
    return network


def shapes(network: UNetPlusPlusGenerator, x: Tensor) -> dict[str, tuple[torch.Size, torch.Size]]:
    """Of every node: what went in and what came out."""
    seen: dict[str, tuple[torch.Size, torch.Size]] = {}

    def note(name: str) -> Callable:
        return lambda _module, inputs, output: seen.update({name: (inputs[0].shape, output.shape)})

    for name, node in network.nodes.items():
        node.register_forward_hook(note(name))
    network(x)
    return seen


@pytest.mark.parametrize(("depth", "nodes"), [(1, 3), (2, 6), (3, 10), (4, 15)])
def test_nodes_form_a_triangle_and_read_all_to_their_left(depth: int, nodes: int) -> None:
    seen = shapes(small(depth=depth), torch.rand(2, 3, 32, 48))
    assert len(seen) == nodes
    for level in range(depth + 1):
        channels, side = 4 * 2**level, (32 // 2**level, 48 // 2**level)
        for j in range(depth - level + 1):
            before = {0: 3}.get(level, channels // 2) if j == 0 else (j + 1) * channels
            assert seen[f"{level}_{j}"] == ((2, before, *side), (2, channels, *side)), (level, j)


def reach(network: UNetPlusPlusGenerator, cut: str) -> set[str]:
    """The nodes whose output changes when the output of one node does."""
    x = torch.rand(1, 3, 32, 32)
    runs: list[dict[str, Tensor]] = [{}, {}]
    for run in runs:
        handles = [
            node.register_forward_hook(lambda _m, _i, output, name=name, run=run: run.__setitem__(name, output))
            for name, node in network.nodes.items()
        ]
        if run is runs[1]:
            handles.append(network.nodes[cut].register_forward_hook(lambda _m, _i, output: output * 2, prepend=True))
        network(x)
        for handle in handles:
            handle.remove()
    return {name for name in network.nodes if not torch.equal(runs[0][name], runs[1][name])}


@pytest.mark.parametrize("cut", ["0_0", "2_0", "1_1", "0_3", "3_1"])
def test_a_node_feeds_its_right_its_below_and_what_lies_above(cut: str) -> None:
    network = small().eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.abs_().add_(0.001)  # nothing is cut off by a ReLU
    level, j = map(int, cut.split("_"))
    reached = {(level, j)}
    for n in range(5):  # by the two rules of the paper, written the other way round
        for i in range(5 - n):
            if (i - 1, 0) in reached and n == 0:
                reached.add((i, n))
            if n > 0 and ((i + 1, n - 1) in reached or any((i, k) in reached for k in range(n))):
                reached.add((i, n))
    assert reach(network, cut) == {f"{i}_{n}" for i, n in reached}


def test_down_is_strided_up_is_transposed_and_nothing_pools() -> None:
    network = small()
    assert [layer.stride for layer in network.down] == [(2, 2)] * 4
    assert len(network.up) == 10
    assert all(isinstance(layer, nn.ConvTranspose2d) and layer.stride == (2, 2) for layer in network.up.values())
    assert not any(isinstance(layer, nn.MaxPool2d | nn.Upsample) for layer in network.modules())


@pytest.mark.parametrize(("deep", "heads"), [(False, 1), (True, 4)])
def test_heads(deep: bool, heads: int) -> None:
    network = small(deep_supervision=deep, norm="batch").eval()
    x = torch.rand(2, 3, 32, 32)
    every = network(x, every_head=True)
    assert every.shape == (heads, 2, 1, 32, 32)
    assert torch.equal(every[-1], network(x))
    assert len({head.abs().sum().item() for head in every}) == heads


def test_each_head_trains_the_nodes_up_to_its_own() -> None:
    network = small(deep_supervision=True)
    for number in range(4):
        network.zero_grad()
        network(torch.rand(1, 3, 32, 32), every_head=True)[number].sum().backward()
        moved = {name for name, node in network.nodes.items() if node[0].weight.grad is not None}
        trained = {name for name in moved if network.nodes[name][0].weight.grad.any()}
        assert trained == {f"{i}_{j}" for i in range(5) for j in range(5) if i + j <= number + 1}
        assert [head[0].weight.grad is not None and bool(head[0].weight.grad.any()) for head in network.heads] == [
            head == number for head in range(4)
        ]


@pytest.mark.parametrize(("norm", "count"), [("batch", 10_439_011), ("instance", 10_435_363)])
def test_parameter_count(norm: str, count: int) -> None:
    widths = [32, 64, 128, 256, 512]
    nodes = [(3 if i == 0 else widths[i - 1], widths[i]) for i in range(5)]
    nodes += [((j + 1) * widths[i], widths[i]) for i in range(4) for j in range(1, 5 - i)]
    beside = 2 if norm == "batch" else 1  # scale and shift, or a bias, for each channel
    expected = sum(9 * before * after + 9 * after * after + 2 * beside * after for before, after in nodes)
    expected += sum(16 * width * width + width for width in widths[:-1])  # down
    expected += sum((4 - i) * (4 * widths[i + 1] * widths[i] + widths[i]) for i in range(4))  # up
    expected += 32 * 3 + 3  # the head
    with torch.device("meta"):
        network = build_generator({"name": "unetpp", "norm": norm}, 3, 3)
    assert sum(weight.numel() for weight in network.parameters()) == expected == count


def test_dropout_follows_the_nodes_of_the_decoder() -> None:
    network = small(dropout=0.3)
    dropping = {name for name, node in network.nodes.items() if any(isinstance(m, nn.Dropout) for m in node)}
    assert dropping == {name for name in network.nodes if not name.endswith("_0")}


@pytest.mark.parametrize(("backbone", "message"), [
    ({"name": "unet", "deep_supervision": True}, "model.backbone.deep_supervision is not an option of unet: it takes "),
    ({"name": "unetpp", "deep_supervision": True}, "model.backbone.deep_supervision=true: this model trains the last"),
    ({"name": "unetpp", "depth": 0}, "model.backbone.depth=0: give a whole number from 1 to 8"),
])  # fmt: skip
def test_what_cannot_work_is_refused(backbone: dict, message: str) -> None:
    with pytest.raises(UserError) as error:
        build_generator(backbone, 3, 3)
    assert str(error.value).startswith(message)
