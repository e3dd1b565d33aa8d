import unicodedata

import pytest

from suite.data.sources.wikiart import wikiart

PAINTINGS = [
    "Impressionism/edgar-degas_landscape-on-the-orne.jpg",
    "Art_Nouveau_Modern/gustav-klimt_the-kiss.v2.jpg",
    "Art_Nouveau_Modern/gene-davis_untitled-1979(3).jpg",
    "Realism/camille-corot_mantes-cathedral.JPG",
]
LABELS = [12, 3, 3, 21]
CLASSES = "0 Abstract_Expressionism\n3 Art_Nouveau\n12 Impressionism\n21 Realism\n"


def csv(rows):
    return "".join(f"{name},{label}\r\n" for name, label in rows)


ROWS = list(zip(PAINTINGS, LABELS, strict=True))
TEXTS = {"style_train.csv": csv(ROWS[:3]), "style_val.csv": csv(ROWS[3:]), "style_class.txt": CLASSES}


def found(catalog):
    return sorted((record.key, record.label, record.group, record.split) for record in catalog.records)


@pytest.mark.parametrize("pictures", ["", "wikiart/"])
@pytest.mark.parametrize("lists", ["", "wikiart_csv/", "Style/", "wikiart_csv/Style/"])
def test_labels_come_from_the_lists_wherever_they_lie(tree, pictures, lists):
    names = [f"{pictures}{name}" for name in PAINTINGS]
    root = tree(*names, f"{pictures}Realism/Thumbs.db", texts={f"{lists}{name}": text for name, text in TEXTS.items()})
    catalog = wikiart(root=root)
    assert found(catalog) == [
        ("Art_Nouveau_Modern/gene-davis_untitled-1979(3)", 3, "Art_Nouveau_Modern", "train"),
        ("Art_Nouveau_Modern/gustav-klimt_the-kiss.v2", 3, "Art_Nouveau_Modern", "train"),
        ("Impressionism/edgar-degas_landscape-on-the-orne", 12, "Impressionism", "train"),
        ("Realism/camille-corot_mantes-cathedral", 21, "Realism", "val"),
    ]
    assert [catalog.label_names[label] for label in LABELS] == [
        "Impressionism",
        "Art_Nouveau",
        "Art_Nouveau",
        "Realism",
    ]
    assert (len(catalog.label_names), catalog.warnings) == (22, [])
    assert all(record.photo.name.startswith(f"{root}/{pictures}") for record in catalog.records)


def test_mangled_names_are_counted_and_left_out(tree):
    rows = [("Realism/grã©goire-michonze_village.jpg", 21), ("Realism/gone.jpg", 21), ("Realism/joaquín_a.jpg", 21)]
    decomposed = unicodedata.normalize("NFD", "Realism/joaquín_a.jpg")
    root = tree(*PAINTINGS, decomposed, "Realism/grΓö£╨│goire-michonze_village.jpg", texts=TEXTS | {
        "style_val.csv": TEXTS["style_val.csv"] + csv(rows)
    })  # fmt: skip
    catalog = wikiart(root=root)
    assert len(catalog.records) == 5
    assert sorted(catalog.missing) == ["Realism/gone.jpg", "Realism/grã©goire-michonze_village.jpg"]
    assert catalog.warnings == [
        "wikiart: 2 listed paintings are not there under their names and are left out, "
        "1 of them with names that are not ASCII",
        "wikiart: 1 pictures are in no list and are left out",
    ]


def test_the_repositorys_own_artist_lists(tree):
    head = "(Path to image),, (Groundtruth class)\r\n\r\n"
    texts = {
        "Artist/artist_train": head + f"{PAINTINGS[0]},,4\r\n",
        "Artist/artist_val": head + f"{PAINTINGS[3]},,22\r\n",
    }
    catalog = wikiart(root=tree(*PAINTINGS, texts=texts), by="artist")
    assert [(label, split) for _, label, _, split in found(catalog)] == [(4, "train"), (22, "val")]
    assert (catalog.label_names[22], catalog.warnings) == ("22", [])


def test_without_lists_the_folders_are_the_labels(tree, refused):
    root = tree(*PAINTINGS)
    catalog = wikiart(root=root)
    assert catalog.label_names == ("Art_Nouveau_Modern", "Impressionism", "Realism")
    assert [row[1] for row in found(catalog)] == [0, 0, 1, 2]
    assert {record.split for record in catalog.records} == {None}
    assert "without a split" in catalog.warnings[0]
    assert "data.by=genre needs genre_train.csv" in refused(wikiart, root=root, by="genre")


def test_what_is_wrong_is_named(tree, refused):
    root = tree("data/Realism/a_b.jpg", texts={"data/style_train.csv": "Realism/a_b.jpg,1\nnothing\n"})
    assert "'nothing' is no row of a list" in refused(wikiart, root=f"{root}/data")
    tree(texts={"data/style_train.csv": "<html>"})
    assert "a web page" in refused(wikiart, root=f"{root}/data")
    tree(texts={"data/style_train.csv": "Realism/z.jpg,1\n"})
    assert "none of the 1 listed paintings is there, like Realism/z.jpg" in refused(wikiart, root=f"{root}/data")
    assert "choose from style, genre, artist" in refused(wikiart, root=f"{root}/data", by="year")
    for given in (root, f"{root}/data/Realism"):
        assert refused(wikiart, root=given).endswith(f"set data.root={root}/data")


@pytest.mark.parametrize("style", ["Ukiyo_e", "Naive_Art_Primitivism", "Action_painting"])
def test_a_tree_of_any_official_style_is_read(tree, style):
    assert [record.group for record in wikiart(root=tree(f"wikiart/{style}/a_b.jpg")).records] == [style]


def test_folders_of_other_names_are_read_where_a_list_names_them(tree, refused):
    root = tree("Muralism/a_b.jpg", "Muralism/c_d.jpg")
    assert "expected folders of styles" in refused(wikiart, root=root)
    tree(texts={"wikiart_csv/genre_train.csv": "Muralism/a_b.jpg,1\r\n", "style_train.csv": "Muralism/c_d.jpg,2\r\n"})
    assert found(wikiart(root=root)) == [("Muralism/c_d", 2, "Muralism", "train")]
    assert found(wikiart(root=root, by="genre")) == [("Muralism/a_b", 1, "Muralism", "train")]


@pytest.mark.parametrize("pictures", ["wikiart", "wikiart/wikiart"])
@pytest.mark.parametrize("lists", ["", "wikiart_csv/", "Style/"])
def test_the_folder_of_the_paintings_alone_is_refused_where_its_lists_lie_above(tree, refused, pictures, lists):
    root = tree(*(f"{pictures}/{name}" for name in PAINTINGS), texts={f"{lists}{n}": text for n, text in TEXTS.items()})
    for given in {pictures, "wikiart"}:
        assert refused(wikiart, root=f"{root}/{given}").endswith(f"it lies in {root}: set data.root={root}")
    assert len(wikiart(root=root).records) == 4


def test_a_class_number_that_is_none_is_refused_and_makes_no_list_of_names(tree, refused):
    root = tree("Realism/a.jpg", texts={"style_train.csv": "Realism/a.jpg,999999999\n"})
    assert "names class 999999999; expected 0 to 9999" in refused(wikiart, root=root)
    root = tree(texts={"style_train.csv": "Realism/a.jpg,1\n", "style_class.txt": "999999999 Realism\n1 Cubism\n"})
    assert wikiart(root=root).label_names == ("0", "Cubism")


def test_a_painting_in_both_lists_is_refused(tree, refused):
    lists = dict.fromkeys(("style_train.csv", "style_val.csv"), "Realism/a.jpg,1\n")
    message = refused(wikiart, root=tree("Realism/a.jpg", texts=lists))
    assert message.endswith("style_val.csv: Realism/a is in style_train.csv, too; take it out of one of them")
