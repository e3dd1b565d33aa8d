"""The built-in faces as a data set: photos, and drawings of the same faces in one style."""

from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Literal, cast

from suite.arguments import Count, Example, Positive, Seed, check_types
from suite.data.catalog import Catalog, Record, Split
from suite.errors import UserError
from suite.faces import HANDS, LARGEST, SMALLEST, Face, FaceParameters, Style

# Each split counts from its own number, so that no face is in two of them and a split keeps its faces whatever the
# size of the others.
NUMBERS: dict[str, range] = {
    "train": range(800_000), "val": range(800_000, 900_000), "test": range(900_000, 1_000_000),
}  # fmt: skip


def faces(
    count: Annotated[Mapping[Split, Count], Example("{train: 500, val: 64, test: 64}")],
    size: int,
    seed: Seed = 0,
    style: Literal["cartoon", "contour", "loose"] = "cartoon",
    hands: Positive = 1,
    labels: Literal["sex", "kind"] = "sex",
    glasses: bool | None = None,
) -> Catalog:
    """Paired photos and drawings, labelled female (0) or male (1); nothing is drawn before a picture is loaded.

    `count` is the number of faces of each split (train, val, test), `size` the pixels of photo and drawing, 32..1024.
    `style` is that of the drawings: cartoon, contour or loose; of a contour there is one drawing by each of 1..10
    `hands`. `seed` chooses the series of faces; `glasses` those of it that wear some, or none, one of five and four.
    Raises UserError for any other value.

    With `labels` of kind no face has both: every other one is a photo alone (0), the next a drawing alone (1) that
    stands where a photo does, by the hands in turn.
    """
    check_types("data.", faces, locals())
    if not SMALLEST <= size <= LARGEST:
        raise UserError(f"data.size={size}: the built-in faces are drawn at {SMALLEST} to {LARGEST} pixels")
    most = len(HANDS) if style == "contour" else 1
    if hands > most:
        raise UserError(f"data.hands={hands}: data.style={style} is drawn by {most} at most")
    for split, wanted in count.items():
        if wanted > len(NUMBERS[split]):
            raise UserError(f"data.count.{split}={wanted}: there are {len(NUMBERS[split])} faces at most")
    drawn, names = cast(Style, style), {"sex": ("female", "male"), "kind": ("photo", "drawing")}[labels]

    def record(split: Split, index: int) -> Record:
        key, drawings = f"face-{index:06d}", tuple(Face(seed, index, drawn, size, hand) for hand in range(hands))
        if labels == "kind" and index % 2:
            return Record(key, photo=drawings[index // 2 % hands], label=1, split=split)
        photo = Face(seed, index, "photo", size)
        if labels == "kind":
            return Record(key, photo=photo, label=0, split=split)
        return Record(key, photo, drawings, label=FaceParameters.sample(seed, index).sex, split=split)

    def chosen(index: int) -> bool:
        return glasses is None or glasses == (FaceParameters.sample(seed, index).glasses != "none")

    def of_split(split: Split, wanted: int) -> list[Record]:
        found = [record(split, index) for index in islice(filter(chosen, NUMBERS[split]), wanted)]
        if len(found) < wanted:
            kind = f"with data.glasses={str(glasses).lower()} "
            raise UserError(f"data.count.{split}={wanted}: {kind}there are {len(found)} faces at most")
        return found

    records = [one for split, wanted in count.items() for one in of_split(split, wanted)]
    return Catalog("faces", None, records, label_names=names)
