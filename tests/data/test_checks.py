"""Keys of `data` that can't work, and what only the files can tell: one line each."""

import pytest

from suite.data.module import PictureData
from suite.errors import UserError


def ready(data):
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": -1}, r"data\.batch_size=-1: give a whole number of at least 1"),
        ({"batch_size": "two"}, r"data\.batch_size=two"),
        ({"batch_size": True}, r"data\.batch_size=true"),
        ({"eval_batch_size": 0}, r"data\.eval_batch_size=0"),
        ({"workers": -2}, r"data\.workers=-2: give a whole number from 0 to 256"),
        ({"seed": -1}, r"data\.seed=-1"),
        ({"size": 0}, r"data\.size=0"),
        ({"size": 300}, r"data\.size=300 is larger than data\.load_size=286"),
        ({"load_size": 1.5}, r"data\.load_size=1\.5"),
        ({"source": "celebb"}, r"data\.source=celebb: there is no such source; choose from unpaired_folders, paired"),
        ({"task": "labeled"}, r"data\.task=labeled: choose from unpaired, paired, labelled"),
        ({"resize": "crop"}, r"data\.resize=crop"),
        ({"depth": "deep"}, r"data\.depth=deep: give one of auto, full, file or a list"),
        ({"depth": [9, 1]}, r"data\.depth=\[9,1\]: give the values of black and white, the lesser first"),
        ({"direction": "AtoB"}, r"data\.direction=AtoB: choose from a2b, b2a"),
        ({"channels_a": 4}, r"data\.channels_a=4: choose from 1, 3"),
        ({"channels_b": 2}, r"data\.channels_b=2"),
        ({"flip": 2}, r"data\.flip=2: give a number from 0 to 1"),
        (
            {"augment": 10},
            r"data\.augment=10: give a mapping in quotes, as in 'data\.augment={zoom: 0\.05, rotation: 10}",
        ),
        ({"augment": {"turn": 3}}, r"data\.augment\.turn: choose from zoom, rotation"),
        (
            {"augment": {"zoom": 1}, "task": "labelled"},
            r"data\.augment\.zoom=1: give a number of at least 0 and below 1",
        ),
        (
            {"augment": {"rotation": 190}, "task": "labelled"},
            r"data\.augment\.rotation=190: give a number from 0 to 180",
        ),
        ({"augment": {"zoom": 0.1}}, r"data\.augment={zoom: 0\.1} is for data\.task=labelled, not unpaired"),
        ({"crop": "no"}, r"data\.crop=no: give true or false"),
        ({"disjoint": 1}, r"data\.disjoint=1"),
        ({"cache": None}, r"data\.cache=null"),
        ({"epoch_length": "longest"}, r"data\.epoch_length=longest"),
        ({"epoch_length": 0}, r"data\.epoch_length=0"),
        ({"drawings": "some"}, r"data\.drawings=some"),
        ({"subset": 0, "task": "self_supervised"}, r"data\.subset=0: give a whole number of at least 1"),
        ({"subset": 5, "task": "paired"}, r"data\.subset=5 is for data\.task=self_supervised, not paired: set"),
        ({"mismatched": 9}, r"data\.mismatched=9 is for data\.task=self_supervised, not unpaired"),
        ({"mismatched": 9, "line_drawings": "x", "task": "labelled"}, r"data\.line_drawings=x is for .*, not labelled"),
        ({"line_drawings": ""}, r"data\.line_drawings=: give a path"),
        ({"line_drawings": "x", "task": "paired"}, r"data\.line_drawings=x is for data\.task=unpaired, not paired"),
        ({"line_drawings": "x", "sketch": "sobel"}, r"data\.line_drawings=x with data\.sketch=sobel: both say"),
        ({"line_drawings": "x", "target": {"source": "cufs"}}, r"=x with data\.target={source: cufs}: both"),
        ({"sketch_sets": "x"}, r"data\.sketch_sets=x gives photos their sketches, and .*=unpaired has no pairs"),
        ({"sketch_sets": "x", "task": "labelled"}, r"data\.sketch_sets=x .* data\.task=labelled has no pairs"),
        ({"sketch_sets": "x", "task": "paired", "resize": "cover"}, r"data\.resize=cover with data\.sketch_sets=x"),
        ({"sketch_sets": "x", "task": "paired", "sketch": "xdog"}, r"data\.sketch=xdog with data\.sketch_sets=x"),
        ({"sketch_sets": "x", "task": "paired", "streaming": "y"}, r"data\.sketch_sets=x is no part of a packed set"),
        ({"on_broken": "ignore"}, r"data\.on_broken=ignore"),
        ({"on_broken": "skip", "cache": False}, r"data\.on_broken=skip needs data\.cache=true"),
        ({"split": {"trian": 3}}, r"data\.split\.trian: choose from train, val, test"),
        ({"recursiv": True}, r"data\.recursiv: .*no such option; did you mean data\.recursive\?"),
        ({"hands": 3}, r"data\.hands: .*no such option; it has a, b, recursive"),
    ],
)
def test_wrong_values_are_refused_before_the_disk_is_touched(arguments, message):
    with pytest.raises(UserError, match=message) as error:
        PictureData(**({"source": "unpaired_folders", "root": "/nowhere"} | arguments))
    assert "\n" not in str(error.value)


def test_the_stages_of_one_command_may_have_what_another_of_them_reads():
    common = {"source": "unpaired_folders", "line_drawings": "x", "subset": 5, "mismatched": 9}
    PictureData(**common)
    PictureData(**common, task="self_supervised", sketch_sets="y")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"root": None}, r"data\.root is missing: .*data\.source=unpaired_folders"),
        ({"root": "/nowhere"}, r"data\.root: /nowhere: there is no such folder"),
        ({"task": "paired"}, r"data\.task=paired needs pairs, and the split train has none"),
        ({"split": {"train": 400}}, r"data\.split=.* has 8 photos, too few"),
        ({"batch_size": 9}, r"data\.batch_size=9: an epoch has only 7 samples"),
        ({"split": {"test": 3}}, r"needs photos and drawings, and the split train has none; 'data\.split="),
    ],
)
def test_what_only_the_files_can_tell(unpaired, arguments, message):
    with pytest.raises(UserError, match=message) as error:
        ready(unpaired(**arguments)).train_dataloader()
    assert "\n" not in str(error.value)


def test_a_disjoint_draw_of_one_pair_is_refused(paired):
    with pytest.raises(UserError, match="needs photos and drawings"):
        ready(paired(task="unpaired", pairs=2, split={"train": 1, "test": 1}, disjoint=True))
