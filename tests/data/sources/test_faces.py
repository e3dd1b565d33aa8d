"""The built-in faces as a data set: what their labels say."""

import pytest

from suite.data.sources.faces import faces
from suite.errors import UserError
from suite.faces import Face, FaceParameters


def test_labels_of_kind_take_every_other_face_as_a_photo_and_the_next_as_a_drawing() -> None:
    catalog = faces({"train": 5, "test": 2}, 32, style="contour", hands=2, labels="kind")
    assert catalog.label_names == ("photo", "drawing")
    shown = [record.photo for record in catalog.of_split("train")]
    assert shown == [
        Face(0, 0, "photo", 32),
        Face(0, 1, "contour", 32, hand=0),
        Face(0, 2, "photo", 32),
        Face(0, 3, "contour", 32, hand=1),
        Face(0, 4, "photo", 32),
    ]
    assert [record.label for record in catalog.records] == [0, 1, 0, 1, 0, 0, 1]
    assert not any(record.drawings for record in catalog.records)


def test_labels_of_sex_stand_on_pairs() -> None:
    catalog = faces({"train": 4}, 32)
    assert catalog.label_names == ("female", "male")
    assert all(record.paired for record in catalog.records)


def test_other_labels_are_refused() -> None:
    with pytest.raises(UserError, match=r"data\.labels=age: choose from sex, kind"):
        faces({"train": 4}, 32, labels="age")  # type: ignore[arg-type]


@pytest.mark.parametrize("worn", [True, False])
def test_faces_with_glasses_or_without(worn: bool) -> None:
    catalog = faces({"train": 9, "test": 5}, 32, seed=3, glasses=worn)
    numbers = [record.photo.index for record in catalog.records]
    assert [(FaceParameters.sample(3, number).glasses != "none") for number in numbers] == [worn] * 14
    assert numbers == sorted(set(numbers))
    everyone = faces({"train": 60}, 32, seed=3).records
    assert [record.key for record in catalog.of_split("train")] == [
        record.key for record in everyone if (FaceParameters.sample(3, record.photo.index).glasses != "none") == worn
    ][:9]
