"""A picture through a graph of suite.export, without the suite: onnxruntime, numpy and Pillow are all it needs.

python export_example.py a2b.onnx photo.png translated.png [style.png]
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

graph, source, target, *style = sys.argv[1:]
session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
known = json.loads(session.get_modelmeta().custom_metadata_map["suite"])  # what it reads, and what it gives
fixed, smallest, divisor = known["fixed_size"], known["smallest"], known["divisor"]

inputs, sizes = {}, []
for name, path, channels in zip(known["inputs"], [source, *style], known["channels"], strict=True):
    picture = Image.open(path).convert("RGB" if channels == 3 else "L")
    sizes.append(picture.size)
    if fixed:
        picture = picture.resize((fixed, fixed), Image.Resampling.BICUBIC)
    x = np.asarray(picture, np.float32).reshape(picture.height, picture.width, channels) / 127.5 - 1
    rows, columns = (-max(side, smallest) % divisor + max(0, smallest - side) for side in x.shape[:2])
    x = np.pad(x, ((0, rows), (0, columns), (0, 0)), mode="reflect")  # and cut off again below
    inputs[name] = x.transpose(2, 0, 1)[None]

(y,) = session.run(None, inputs)
pixels = np.clip(y[0].transpose(1, 2, 0) * 127.5 + 127.5, 0, 255).round().astype(np.uint8).squeeze()
width, height = sizes[0]
result = Image.fromarray(pixels)
result = result.resize((width, height), Image.Resampling.BICUBIC) if fixed else result.crop((0, 0, width, height))
result.save(target)
