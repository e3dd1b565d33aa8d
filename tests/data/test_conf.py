"""conf/data: every key has a meaning, every argument a key, and the numbers in both places agree."""

import inspect
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from suite.data.module import PictureData
from suite.data.sources import source_options
from suite.run.config import register_resolvers

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "data").glob("*.yaml") if not path.stem.startswith("_"))
ARGUMENTS = {
    name: parameter.default
    for name, parameter in inspect.signature(PictureData).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY
}


@pytest.fixture
def composed(tmp_path):
    register_resolvers()  # as every command does, before it composes
    (tmp_path / "main.yaml").write_text(
        f"hydra: {{searchpath: ['file://{CONF}']}}\ndefaults: [_self_, data: faces]\nseed: 7\ncache_dir: {tmp_path}\n"
    )

    def make(*overrides):
        with initialize_config_dir(str(tmp_path), version_base="1.3"):
            return compose("main", list(overrides)).data

    return make


def test_the_data_sets_of_the_suite_are_there():
    assert {"anime_faces", "faces", "paired_folders", "unpaired_folders"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_keys_are_the_arguments_of_the_module_and_the_source(composed, name):
    data = composed(f"data={name}")
    assert set(data) == set(ARGUMENTS) | source_options(data.source)


def test_common_values_are_the_modules_defaults():
    common = OmegaConf.load(CONF / "data" / "_common.yaml")
    for key in set(ARGUMENTS) - {"source", "root", "seed", "cache_dir"}:
        assert common[key] == ARGUMENTS[key], key


@pytest.mark.parametrize("name", ["_common", *NAMES])
def test_every_key_is_explained_where_it_first_stands(name):
    for line in (CONF / "data" / f"{name}.yaml").read_text().splitlines():
        is_key = line and line[0].isalpha() and line != "defaults:"
        if is_key and (name == "_common" or line.split(":")[0] not in ARGUMENTS):
            assert " # " in line, line


@pytest.mark.parametrize("name", NAMES)
def test_what_is_composed_can_be_built_without_any_file(composed, name):
    needed = [] if name == "faces" else ["data.root=/nowhere"]
    needed += ["data.target.root=/nowhere"] if name.startswith("celeba_dagan") else []
    data = composed(f"data={name}", *needed, "data.batch_size=3")
    values = OmegaConf.to_container(data, resolve=True, throw_on_missing=True)
    module = PictureData(**values)
    assert (module.batch_size, module.seed) == (3, 7)


def test_a_split_can_be_typed(composed):
    assert composed("data=anime_faces", "data.split={train: 1000, test: 1000}").split == {"train": 1000, "test": 1000}


def test_another_target_replaces_the_paper_s(composed):
    data = composed("data=celeba_dagan_cufs", "data.root=/nowhere", "data.target.root=/elsewhere")
    split = {"train": 0.75, "test": 0.25}
    assert data.target == {"source": "cufs", "root": "/elsewhere", "split": split}
    assert (data.source, data.partition, data.sketch) == ("celeba", "dagan", "sobel")


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["data=faces_adapt"], 512),
        (["data=faces_adapt", "model=dagan"], 512),
        (["data=faces", "model=dagan"], 512),
        (["data=faces_smoke", "model=dagan"], 8),
        (["data=faces_smoke", "model=csi"], 8),
    ],
)
def test_the_built_in_faces_for_domain_adaptation(composed, tmp_path, words, count):
    (tmp_path / "model").mkdir()
    for paper in ("dagan", "csi"):
        (tmp_path / "model" / f"{paper}.yaml").write_text("{}")
    main = tmp_path / "main.yaml"
    main.write_text(main.read_text().replace("data: faces]", "data: faces, model: null]"))
    values = OmegaConf.to_container(composed(*words), resolve=True, throw_on_missing=True)
    assert values["count"]["train"] == values["target"]["count"]["train"] == count
    small = composed(*words, "data.count={train: 6, val: 2, test: 3}", "data.size=32", "data.load_size=32")
    data = PictureData(**(OmegaConf.to_container(small, resolve=True) | {"workers": 0, "batch_size": 2}))
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert [batch[key].shape[1] for key in ("a", "b", "target")] == [3, 3, 1]  # `a` will be a sketch of that photo
    assert data.finish(batch)["a"].shape == (2, 1, 32, 32)
    assert (data.catalog.simulated, data.swap) == ("sobel", True)
    assert len(next(iter(data.reals("train", "target")))["picture"]) == 6
    assert len(data.test_dataloader().dataset) == 3


def test_the_built_in_faces_for_two_step_translation(composed, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "two_step.yaml").write_text("{}")
    main = tmp_path / "main.yaml"
    main.write_text(main.read_text().replace("data: faces]", "data: faces, model: null]"))
    small = composed("data=faces_smoke", "model=two_step", "data.batch_size=4", "data.workers=0")
    data = PictureData(**OmegaConf.to_container(small, resolve=True, throw_on_missing=True))
    batch = next(iter(data.train_dataloader()))
    assert batch["a"].shape == (4, 3, 69, 69)
    assert data.finish(batch)["a"].shape == (4, 3, 64, 64)
    assert sorted(batch["label"].tolist()) == [0, 0, 1, 1]
    assert composed("data=faces", "model=two_step").batch_size == 64


@pytest.mark.parametrize("name", ["celeba_dong", "identity_folders_dong"])
def test_pictures_for_two_step_translation(composed, name):
    data = composed(f"data={name}", "data.root=/nowhere")
    assert (data.size, data.load_size, data.batch_size, data.balanced) == (64, 69, 64, True)
    assert data.augment == composed("data=celeba_dong").augment
