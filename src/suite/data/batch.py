"""What a batch is: a plain dict that every task dataset fills and every paper module reads.

A paper that trains on no pictures has batches of `index` and `paired` alone in training.

Pictures are float32 (B, C, H, W) in [-1, 1] by the time a paper module sees them; on the way from the
loader to the device they are uint8.

| key                         | shape                        | there when                                              |
|-----------------------------|------------------------------|---------------------------------------------------------|
| `a`                         | (B, Ca, H, W)                | always: source domain                                   |
| `b`                         | (B, Cb, H, W)                | every task but labelled: target domain                  |
| `drawings`, `drawing_count` | (B, K, C, H, W), (B,) int64  | paired, semi_supervised with `drawings: all`: padded to |
|                             |                              | K with black; self_supervised: K = 4 strokes of one     |
|                             |                              | sketch: as it is, bold, erased, bold and erased         |
| `drawing_side`              | a or b                       | with the loader's `drawings`: the side that they are of |
| `erased`                    | (B, 2, times, 4) int64       | self_supervised: rectangles, see sketching/strokes.py   |
| `sibling`                   | (B, Cd, H, W)                | self_supervised, in training: another drawing of the    |
|                             |                              | same photo, cut and mirrored alike; where there is one  |
|                             |                              | alone, that one. Cd: channels of drawings, Cp of photos |
| `subset`, `subset_drawing`  | (B, Cp, ..), (B, Cd, H, W)   | with `data.subset`, in training: a photo of the subset  |
|                             |                              | of the turn, and one of its drawings                    |
| `subset_label`, `classes`   | (B,) int64, int              | with `subset`: its place in the subset, 0 .. classes-1, |
|                             |                              | and how many photos a subset has                        |
| `turn`                      | int                          | with `subset`: how many subsets came before             |
| `style`, `key_style`        | (B, Cp, H, W), list of str   | self_supervised, never in training: the photo of        |
|                             |                              | another record, and its key                             |
| `target`                    | (B, Ca, H, W)                | semi_supervised: pictures of the style to adapt to      |
| `target_truth`              | (B, Cb, H, W)                | semi_supervised, never in training: their photos (a2b:  |
|                             |                              | drawings), where the split has any: of these targets    |
| `label`                     | (B,) int64                   | labelled: the class of `a`                              |
| `view`                      | (B, 6) float32               | labelled with `data.augment`, in training, up to the    |
|                             |                              | device: what is seen of `a`, see `suite.data.finish`    |
| `paired`                    | bool                         | always: `a[i]` and `b[i]` show the same scene           |
| `index`                     | (B,) int64                   | always: position in the split, drops a sampler's repeats|
| `fresh_a`, `fresh_b`,       | (B,) bool                    | with `a`, `b`, `target`: False where the shorter side   |
| `fresh_target`              |                              | of an evaluation set comes round again, also pairs      |
|                             |                              | beside more targets or styles; True in training         |
| `key`, `key_b`, `key_target`| list of str                  | with `a`, `b`, `target`: their record's key             |
"""

from typing import Any

Batch = dict[str, Any]
