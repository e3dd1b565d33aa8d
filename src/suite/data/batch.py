"""What a batch is: a plain dict that every task dataset fills and every paper module reads.

Pictures are float32 (B, C, H, W) in [-1, 1] by the time a paper module sees them; on the way from the
loader to the device they are uint8.

| key                         | shape                        | there when                                              |
|-----------------------------|------------------------------|---------------------------------------------------------|
| `a`, `b`                    | (B, Ca, H, W), (B, Cb, H, W) | always: source and target domain                        |
| `drawings`, `drawing_count` | (B, K, Cb, H, W), (B,)       | task paired with `drawings: all`; padded to K with black|
| `paired`                    | bool                         | always: `a[i]` and `b[i]` show the same scene           |
| `index`                     | (B,) int64                   | always: position in the split, drops a sampler's repeats|
| `fresh_a`, `fresh_b`        | (B,) bool                    | always: False where the shorter side of an unpaired     |
|                             |                              | evaluation set comes round again; True in training      |
| `key`, `key_b`              | list of str                  | always: record keys of `a`, `b`; name every file written|
"""

from typing import Any

Batch = dict[str, Any]
