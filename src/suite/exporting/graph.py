"""A direction of a model as an ONNX file, of any batch and of any size that its networks read, and what it differs by.

The file says itself what goes in and comes out: its metadata have the key `suite`, JSON, see `contract`.
"""

import io
import json
import logging
import math
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from suite.errors import UserError
from suite.files import make_folder, write_whole
from suite.images import padded
from suite.papers.base import Direction, source_side

if TYPE_CHECKING:
    import onnx

    from suite.papers.base import Paper

# Of outputs in [-1, 1]: an eighth of a grey level of 8 bits.
TOLERANCE = 1e-3
_MOST = 2**31 - 2**20  # bytes of a file with its weights inside, which protobuf ends at


class Compared(NamedTuple):
    """What onnxruntime made of random pictures, beside what the model makes of them."""

    shapes: list[tuple[int, ...]]
    difference: float  # the largest


def contract(model: "Paper", direction: Direction) -> dict[str, Any]:
    """What goes in and comes out, for programs: channels, the range of values, and which sizes are read.

    fixed_size: pixels, of both sides, or null: then both are multiples of `divisor`, and `smallest` at least.
    """
    a, b = model.hparams["channels_a"], model.hparams["channels_b"]
    source = source_side(direction)
    shortest = padded(torch.empty(1, 1), model.divisor).shape[-1]  # as translations are padded
    return {
        "paper": model.name,
        "direction": direction,
        "inputs": ["sketch", "style"] if model.needs_style else ["picture"],
        "channels": [a, b] if model.needs_style else [{"a": a, "b": b}[source]],
        "out_channels": a if model.labels or source == "b" else b,
        "range": [-1, 1],
        "layout": "NCHW",
        "divisor": model.divisor,
        "smallest": model.fixed_size or shortest,
        "fixed_size": model.fixed_size,
    }


def write_graph(model: "Paper", direction: Direction, path: Path) -> Compared:
    """Write the file, if onnxruntime makes the same of it as the model. The model is in eval mode, on the CPU.

    Raises UserError where no such graph is, or where the two differ by more than `TOLERANCE`.
    """
    known = contract(model, direction)
    if sum(weight.numel() for network in model.translating().values() for weight in network.parameters()) * 4 > _MOST:
        raise UserError("format=onnx: a file of ONNX holds 2 GiB, and the weights are more; use format=safetensors")
    graph = _traced(model, direction, known)
    entry = graph.metadata_props.add()
    entry.key, entry.value = "suite", json.dumps(known)
    content = graph.SerializeToString()
    compared = _compare(model, direction, content, known)
    if not compared.difference <= TOLERANCE:
        raise UserError(
            f"format=onnx: onnxruntime's pictures differ by up to {compared.difference:.2g} from the model's, of "
            f"values from -1 to 1, and {TOLERANCE:g} is the most; nothing is written, use format=safetensors"
        )
    make_folder(path.parent)
    write_whole(path, content)
    return compared


def _traced(model: "Paper", direction: Direction, known: dict[str, Any]) -> "onnx.ModelProto":
    """Traced on pictures of two rows and three columns of the divisor: what is 1 would be taken for constant."""
    from torch.export import Dim

    batch = Dim("batch")
    fixed, divisor = known["fixed_size"], known["divisor"]
    if fixed:
        height = width = fixed
        dynamic: dict[int, Any] = {0: batch}
    else:
        height, width = (math.ceil(known["smallest"] / divisor) * divisor * times for times in (2, 3))
        dynamic = {0: batch, 2: divisor * Dim("rows"), 3: divisor * Dim("columns")}
    pictures = _pictures(known, 2, height, width)
    loud = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [one.level for one in loud]
    try:
        for one in loud:
            one.setLevel(logging.ERROR)
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                model.as_network(direction).eval(),
                tuple(pictures),
                dynamo=True,
                verbose=False,
                dynamic_shapes=tuple(dict(dynamic) for _ in pictures),
                input_names=known["inputs"],
                output_names=["translation"],
                external_data=False,
            )
    finally:
        for one, level in zip(loud, levels, strict=True):
            one.setLevel(level)
    assert program is not None
    return program.model_proto


@torch.no_grad()
def _compare(model: "Paper", direction: Direction, content: bytes, known: dict[str, Any]) -> Compared:
    """On batches of one and three of two sizes, or of the one that is read."""
    import onnxruntime

    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, quiet, providers=["CPUExecutionProvider"])
    smallest, divisor = known["smallest"], known["divisor"]
    sizes = [(smallest, smallest)]
    if known["fixed_size"] is None:
        sizes = [(smallest, smallest + divisor), (smallest + 3 * divisor, smallest + 2 * divisor)]
    shapes, largest = [], 0.0
    for count in (1, 3):
        for height, width in sizes:
            inputs = _pictures(known, count, height, width)
            (made,) = session.run(None, {name: x.numpy() for name, x in zip(known["inputs"], inputs, strict=True)})
            expected = _translated(model, direction, *inputs)
            if made.shape != tuple(expected.shape):
                raise UserError(
                    f"format=onnx: onnxruntime makes {made.shape} of what the model makes {expected.shape} of"
                )
            difference = (torch.from_numpy(made) - expected).abs().max().item()
            largest = max(largest, math.inf if math.isnan(difference) else difference)
            shapes.append(tuple(inputs[0].shape))
    return Compared(shapes, largest)


def _translated(model: "Paper", direction: Direction, pictures: Tensor, style: Tensor | None = None) -> Tensor:
    """What the model makes of them by itself, each in its own style."""
    if style is None:
        return model.translate(pictures, direction)
    made = []
    for picture, of_picture in zip(pictures.split(1), style.split(1), strict=True):
        model.take_style(of_picture)
        made.append(model.translate(picture, direction))
    return torch.cat(made)


def _pictures(known: dict[str, Any], count: int, height: int, width: int) -> list[Tensor]:
    """Noise for each input, the same in each call."""
    random = torch.Generator().manual_seed(count)
    return [torch.rand(count, of, height, width, generator=random) * 2 - 1 for of in known["channels"]]
