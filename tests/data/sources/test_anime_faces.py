import pytest

from suite.data.sources.anime_faces import anime_faces
from suite.errors import UserError


@pytest.fixture
def tree(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"")
        return str(tmp_path)

    return make


def listed(catalog):
    """(side, split, file) of every picture."""
    root = f"{catalog.root}/"
    return [
        ("photo" if r.photo else "drawing", r.split, (r.photo or r.drawings[0]).name.removeprefix(root))
        for r in catalog.records
    ]


def test_animegan(tree):
    root = tree(
        "train_photo/0.jpg", "test/test_photo/1.jpg", "Hayao/style/0.jpg", "Hayao/smooth/0.jpg", "Shinkai/style/5.jpg"
    )
    photos = [("photo", "train", "train_photo/0.jpg"), ("photo", "test", "test/test_photo/1.jpg")]
    assert listed(anime_faces(root=root)) == [*photos, ("drawing", None, "Hayao/style/0.jpg")]
    assert listed(anime_faces(root=root, style="Shinkai")) == [*photos, ("drawing", None, "Shinkai/style/5.jpg")]
    with pytest.raises(UserError, match=r"data\.style=Paprika: no such style in .*; there is Hayao, Shinkai"):
        anime_faces(root=root, style="Paprika")


def test_whitebox_takes_the_faces_unless_told_otherwise(tree):
    root = tree(
        "face_photo/1.jpg",
        "face_photo/Thumbs.db",
        "face_cartoon/pa_face/a.jpg",
        "face_cartoon/kyoto_face/k.jpg",
        "scenery_photo/s.jpg",
        "scenery_cartoon/shinkai/x.jpg",
        "scenery_cartoon/hayao/h.jpg",
    )
    face = ("photo", None, "face_photo/1.jpg")
    assert listed(anime_faces(root=root)) == [face, ("drawing", None, "face_cartoon/pa_face/a.jpg")]
    kyoto = anime_faces(root=root, style="kyoto_face")
    assert listed(kyoto) == [face, ("drawing", None, "face_cartoon/kyoto_face/k.jpg")]
    scenery = anime_faces(root=root, domain="scenery")
    assert listed(scenery) == [
        ("photo", None, "scenery_photo/s.jpg"),
        ("drawing", None, "scenery_cartoon/shinkai/x.jpg"),
    ]


@pytest.mark.parametrize("cartoons", ["cartoon_face/c.jpg", "cartoon_face/pa_face/c.jpg"])
def test_whitebox_in_its_authors_names(tree, cartoons):
    root = tree("photo_face/1.jpg", cartoons)
    assert listed(anime_faces(root=root)) == [("photo", None, "photo_face/1.jpg"), ("drawing", None, cartoons)]


def test_ugatit_with_and_without_test_photos(tree):
    root = tree("trainA/1.jpg", "trainB/2.png", "testB/3.png")
    train = [("photo", "train", "trainA/1.jpg"), ("drawing", "train", "trainB/2.png")]
    assert listed(anime_faces(root=root)) == [*train, ("drawing", "test", "testB/3.png")]
    tree("testA/4.jpg")
    assert ("photo", "test", "testA/4.jpg") in listed(anime_faces(root=root))
    tree("trainB_cute/5.png")
    suffixed = listed(anime_faces(root=root, b_suffix="_cute"))
    assert [name for side, _, name in suffixed if side == "drawing"] == ["trainB_cute/5.png"]


def test_plain_folders_of_anime_faces(tree):
    root = tree("data/1.png", "data/data/1.png", "data/2.webp-1.jpg", "real/p.jpg")
    photo = ("photo", None, "real/p.jpg")
    first_level = [("drawing", None, "data/1.png"), ("drawing", None, "data/2.webp-1.jpg")]
    assert listed(anime_faces(root=root, photos="real")) == [photo, *first_level]
    everything = listed(anime_faces(root=root, photos="real", recursive=True))
    assert ("drawing", None, "data/data/1.png") in everything


def test_plain_photos_below_the_drawings_are_not_drawings(tree):
    root = tree("1.png", "real/p.jpg")
    catalog = anime_faces(root=root, photos="real", recursive=True)
    assert listed(catalog) == [("photo", None, "real/p.jpg"), ("drawing", None, "1.png")]


def test_what_is_missing_is_named(tree):
    root = tree("images/1.png")
    for plain in (root, f"{root}/images"):
        with pytest.raises(UserError) as error:
            anime_faces(root=plain)
        expected = f"{plain}: layout plain holds drawings only; give data.photos=<folder of real faces>"
        assert str(error.value) == expected
    with pytest.raises(UserError, match=r"data\.photos="):
        anime_faces(root=root, layout="plain")
    with pytest.raises(UserError, match=r"the photos of layout ugatit: .*/trainA: there is no such folder"):
        anime_faces(root=root, layout="ugatit")
    with pytest.raises(UserError, match=r"data\.layout=whitebocks: choose from auto, animegan"):
        anime_faces(root=root, layout="whitebocks")


@pytest.mark.parametrize("given", ["", "dataset/face_photo", "dataset/face_cartoon/pa_face"])
def test_a_root_too_high_or_too_low_is_told_where_it_lies(tree, given):
    root = tree("dataset/face_photo/1.jpg", "dataset/face_cartoon/pa_face/a.jpg")
    with pytest.raises(UserError) as error:
        anime_faces(root=f"{root}/{given}".rstrip("/"))
    assert str(error.value).endswith(f"set data.root={root}/dataset")
    assert "\n" not in str(error.value)
