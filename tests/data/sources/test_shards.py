"""Packed sets: the same samples as from the files they were packed from, and one line for what is wrong with one."""

import gc
import gzip
import json
import os
import pickle
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch

from suite.data.listing import list_source
from suite.data.module import PictureData
from suite.data.sources import shards as streaming
from suite.data.sources.helpers.packed_catalog import CATALOG
from suite.data.tools.packing import pack
from suite.errors import UserError
from suite.evaluate import of_run
from suite.run.config import CONF, compose
from suite.run.folder import write_config

MakeData = Callable[..., PictureData]


def packed(data: PictureData, folder: Path, shard_bytes: int = 3000) -> Path:
    """Packs the set of a DataModule that reads files, in shards of a few pictures."""
    catalog = list_source(data.own_set, data.drawn_size)
    pack(catalog, data.source, data.options, data.drawn_size, folder, shard_bytes, data.skip_broken)
    return folder


def streamed(files: PictureData, where: Path | str, **arguments: Any) -> PictureData:
    """The data of tests/data/conftest.py out of shards."""
    defaults = {"size": 8, "load_size": 10, "workers": 0, "batch_size": 2, "seed": 1} | files.options
    return PictureData(source=files.source, streaming=str(where), **(defaults | arguments))


def everything(data: PictureData) -> list[dict[str, Any]]:
    """Every batch of two epochs, of evaluation, and of the real pictures."""
    data.setup()
    train = data.train_dataloader()
    batches = []
    for epoch in (0, 1):
        train.sampler.set_epoch(epoch)
        batches += list(train)
    return [*batches, *data.val_dataloader(), *data.reals("train", "a"), *data.reals("all", "b")]


def assert_same(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    assert len(one) == len(other) > 0
    for batch, its_like in zip(one, other, strict=True):
        assert batch.keys() == its_like.keys()
        for key, value in batch.items():
            same = torch.equal(value, its_like[key]) if isinstance(value, torch.Tensor) else value == its_like[key]
            assert same, key


@pytest.mark.parametrize(
    ("task", "how"),
    [
        ("paired", {"workers": 2}),
        ("unpaired", {"workers": 2, "resize": "cover"}),
        ("paired", {"resize": "cover", "direction": "b2a", "sketch": "sobel"}),
        ("unpaired", {"cache": False, "crop": False, "disjoint": True, "split": {"train": 8, "val": 2}}),
    ],
)
def test_samples_are_those_of_the_files(task: str, how: dict[str, Any], paired: MakeData, tmp_path: Path) -> None:
    files = paired(pairs=12, task=task, **how)
    where = packed(files, tmp_path / "shards")
    assert len(list(where.glob("*.tar"))) > 3
    from_files = everything(files)
    for folder in ("pairs", "cache"):
        shutil.rmtree(tmp_path / folder, ignore_errors=True)  # not looked at again
    assert_same(everything(streamed(files, where, task=task, cache_dir=str(tmp_path / "cache"), **how)), from_files)
    assert not (tmp_path / "cache").exists()  # what fits no disk is not decoded onto one


def test_two_folders_and_their_splits(unpaired: MakeData, tmp_path: Path) -> None:
    files = unpaired()
    where = packed(files, tmp_path / "shards")
    assert_same(everything(streamed(files, where)), everything(files))


def test_drawn_pictures_keep_their_size_and_labels(tmp_path: Path) -> None:
    how = {"count": {"train": 5, "test": 2}, "size": 32, "load_size": 36, "workers": 0, "style": "contour", "hands": 2}
    files = PictureData(source="faces", task="paired", drawings="all", cache=False, **how)
    where = packed(files, tmp_path / "shards")
    shards = PictureData(source="faces", task="paired", drawings="all", streaming=str(where), **how)
    assert_same(everything(shards), everything(files))
    assert [record.label for record in shards.catalog.records] == [record.label for record in files.catalog.records]
    with pytest.raises(UserError, match=r"drawn at 36 pixels, not at 40: set data.load_size to that"):
        PictureData(source="faces", streaming=str(where), **how | {"load_size": 40}).setup()


def test_a_second_set_for_the_style_can_lie_in_shards_too(paired: MakeData, tmp_path: Path) -> None:
    files = paired(pairs=12, root=str(tmp_path / "style"))
    shutil.copytree(tmp_path / "pairs", tmp_path / "style")
    where = packed(files, tmp_path / "shards")
    style = {"source": "paired_folders", **files.options}
    of_files = paired(pairs=12, task="semi_supervised", target=style | {"root": files.root})
    in_shards = paired(pairs=12, task="semi_supervised", target=style | {"streaming": str(where)})
    from_shards = everything(in_shards)
    assert len(list((tmp_path / "cache/pictures").iterdir())) == 4  # train and test, photos and drawings of the first
    assert_same(from_shards, everything(of_files))
    with pytest.raises(UserError, match=r"data\.target\.streaming=.*nowhere.*no packed set is there"):
        paired(pairs=12, task="semi_supervised", target=style | {"streaming": str(tmp_path / "nowhere")}).setup()


def test_pictures_travel_to_a_worker_without_handles(paired: MakeData, tmp_path: Path) -> None:
    data = streamed(paired(), packed(paired(), tmp_path / "shards"), task="paired")
    data.setup()
    picture = data.catalog.records[0].photo
    assert picture is not None
    pixels = picture.load().tobytes()
    again = pickle.loads(pickle.dumps(picture))
    assert (again.load().tobytes(), again.identity(), again.name) == (pixels, picture.identity(), picture.name)
    assert picture.name == f"photos/0.png in {tmp_path / 'shards'}"
    assert picture.identity() != data.catalog.records[1].photo.identity()  # type: ignore[union-attr]


def test_a_run_is_evaluated_where_its_pictures_lie_now(tmp_path: Path) -> None:
    words = ["experiment=cyclegan_lsgan", "scale=smoke", "data=celeba", "data.streaming=old", "metrics=pixel"]
    write_config(compose("train", [*words, "name=run", f"hydra.run.dir={tmp_path}"]), tmp_path)
    for moved, expected in (
        ("seed=0", (None, "old")),
        ("data_streaming=new", (None, "new")),
        ("data_root=f", ("f", None)),
    ):
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            command = hydra.compose("evaluate", [f"run={tmp_path}", moved])
        saved = of_run(command, tmp_path)
        assert (saved.data.root, saved.data.streaming) == expected


@pytest.mark.parametrize("was", ["root: old", "streaming: old"])
def test_a_run_is_evaluated_where_the_pictures_of_its_target_lie_now(tmp_path: Path, was: str) -> None:
    words = ["experiment=cyclegan_lsgan", "scale=smoke", "data=celeba", "data.root=set", "metrics=pixel"]
    target = [f"data.target={{source: cufsf, {was}, split: {{train: 720, test: 240}}}}"]
    for run, more in (("with", target), ("without", [])):
        (tmp_path / run).mkdir()
        write_config(compose("train", [*words, *more, "name=run", f"hydra.run.dir={tmp_path / run}"]), tmp_path / run)
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        command = hydra.compose("evaluate", [f"run={tmp_path}", "data_target_root=new"])
    saved = of_run(command, tmp_path / "with")
    assert saved.data.target == {"source": "cufsf", "root": "new", "split": {"train": 720, "test": 240}}
    assert saved.data.root == "set"
    with pytest.raises(UserError, match=r"^data_target_root=new: .*without has no data\.target; leave it out$"):
        of_run(command, tmp_path / "without")


# Broken pictures ------------------------------------------------------------------------------------------------------


def test_broken_pictures_are_left_out_as_from_files(paired: MakeData, picture: Callable[..., Path], tmp_path: Path):
    files = paired(pairs=120, on_broken="skip")
    (tmp_path / "pairs/photos/7.png").write_bytes(b"no picture")
    where = packed(files, tmp_path / "shards")
    assert_same(everything(streamed(files, where, task="paired", on_broken="skip", cache=False)), everything(files))
    with pytest.raises(
        UserError, match=r"photos/7\.png in .*shards: no readable picture .* or set data\.on_broken=skip"
    ):
        streamed(files, where, task="paired").setup()


# What is wrong with a packed set --------------------------------------------------------------------------------------


def change_catalog(where: Path, **values: Any) -> None:
    content = json.loads(gzip.decompress((where / CATALOG).read_bytes()))
    (where / CATALOG).write_bytes(gzip.compress(json.dumps(content | values).encode()))


def cut(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])


def turn_a_bit(where: Path) -> None:
    shard = where / "shard-000000.tar"
    data = bytearray(shard.read_bytes())
    data[700] ^= 1  # in the first picture: the header takes 512 bytes
    shard.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, r"no packed set is there, it has no catalog\.json\.gz; suite\.pack writes one"),
        (lambda where: (where / CATALOG).write_bytes(b"{}"), r"catalog\.json\.gz is damaged, or not by suite\.pack"),
        (lambda where: cut(where / CATALOG, 50), r"catalog\.json\.gz is damaged"),
        (lambda where: change_catalog(where, format="other"), r"packed in format None"),
        (lambda where: change_catalog(where, version=99), r"packed in format 99, and this suite reads format 1; pack"),
        (lambda where: (where / "shard-000001.tar").unlink(), r"a shard is missing .*shard-000001\.tar.*copy it there"),
        (lambda where: cut(where / "shard-000001.tar", 999), r"shard-000001\.tar has 999 bytes and should have \d+; "),
        (turn_a_bit, r"shard-000000\.tar is damaged, or of another packing; copy it again"),
    ],
)
def test_one_line_says_what_is_wrong(spoil: Callable, message: str, paired: MakeData, tmp_path: Path) -> None:
    where = packed(paired(), tmp_path / "shards")
    spoil(where)
    with pytest.raises(UserError, match=rf"^data\.streaming={re.escape(str(where))}:? .*{message}") as error:
        everything(streamed(paired(), where, task="paired"))
    assert "\n" not in str(error.value)


def test_another_set_or_option_than_was_packed_is_refused(paired: MakeData, tmp_path: Path) -> None:
    where = packed(paired(), tmp_path / "shards")
    asked = {"b": "photos", "a": "sketches"}
    with pytest.raises(UserError, match=r"was packed with data\.a=photos, not sketches: set it to that, or pack"):
        streamed(paired(), where, **asked).setup()
    with pytest.raises(UserError, match=r"was packed with data\.source=paired_folders, not faces"):
        PictureData(source="faces", streaming=str(where), count={"train": 3}).setup()


@pytest.mark.parametrize("value", [True, 3, ""])
def test_streaming_is_a_folder_or_url(value: Any) -> None:
    with pytest.raises(UserError, match=r"data\.streaming=.*: give the folder or URL"):
        PictureData(source="faces", streaming=value, count={"train": 3})


# Distant stores -------------------------------------------------------------------------------------------------------


class Store(BaseHTTPRequestHandler):
    """Serves the files of a folder, by ranges where it is asked to."""

    protocol_version = "HTTP/1.1"
    folder = Path()
    ranges = True
    refusals = 0  # how many requests are answered with 503 first
    silence = 0.0  # seconds before it answers
    fetched = 0  # bytes

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def answer(self, with_body: bool) -> None:
        path, kind = self.folder / self.path.strip("/"), type(self)
        time.sleep(kind.silence)
        if kind.refusals > 0 or not path.is_file():
            kind.refusals -= 1
            self.send_error(503 if path.is_file() else 404)
            return
        data, wanted = path.read_bytes(), re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted and self.ranges:
            data = data[int(wanted[1]) : int(wanted[2]) + 1]
        self.send_response(206 if wanted and self.ranges else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if with_body:
            kind.fetched += len(data)
            with suppress(BrokenPipeError):  # nobody waits for it any more
                self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def store(tmp_path: Path) -> Iterator[type[Store]]:
    """A store of its own for each test, at `store.url`."""
    of_test = type("StoreOfTest", (Store,), {"folder": tmp_path})
    server = ThreadingHTTPServer(("127.0.0.1", 0), of_test)
    of_test.url = f"http://127.0.0.1:{server.server_port}/shards"  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield of_test
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_distant_store_gives_the_same_by_ranges(paired: MakeData, store: Any, tmp_path: Path) -> None:
    files = paired()
    where = packed(files, tmp_path / "shards")
    whole = sum(path.stat().st_size for path in where.iterdir())
    data = streamed(files, store.url, task="paired")
    data.setup()
    assert data.catalog.records[0].photo.load()  # type: ignore[union-attr]
    assert store.fetched < 0.7 * whole  # one picture and the catalog, no shard
    assert_same(everything(data), everything(files))


def test_workers_give_the_same_and_leave_the_connections_of_their_parent_alone(
    paired: MakeData, store: Any, tmp_path: Path, monkeypatch
) -> None:
    files = paired()
    packed(files, tmp_path / "shards")
    data = streamed(files, store.url, task="paired", workers=2)
    data.setup()  # the connection of this process is open when the workers are made
    files.setup()
    clearing = True  # a worker that is a copy of this process clears away its copies of the connections
    os.register_at_fork(after_in_child=lambda: clearing and gc.collect())
    assert_same(list(data.train_dataloader()), list(files.train_dataloader()))
    clearing = False
    monkeypatch.setattr(streaming, "_WAITS", ())
    monkeypatch.setattr(streaming, "_PATIENCE", 2)
    assert data.catalog.records[0].photo.load()  # type: ignore[union-attr]


def test_a_store_that_never_answers_is_not_waited_for(
    paired: MakeData, store: Any, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(streaming, "_WAITS", (0,))
    monkeypatch.setattr(streaming, "_PATIENCE", 0.1)
    packed(paired(), tmp_path / "shards")
    data = streamed(paired(), store.url, task="paired")
    data.setup()
    store.silence = 1.0
    with pytest.raises(UserError, match=r"shard-\d+\.tar can't be read \(TimeoutError: no answer within 0\.1 s\)"):
        next(iter(data.val_dataloader()))


def test_a_store_that_falters_is_asked_again(paired: MakeData, store: Any, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(streaming, "_WAITS", (0.01, 0.01))
    files = paired()
    packed(files, tmp_path / "shards")
    data = streamed(files, store.url, task="paired")
    data.setup()
    store.refusals = 2
    assert len(next(iter(data.val_dataloader()))["key"]) > 0
    store.refusals = 1000
    with pytest.raises(UserError, match=r"shard-\d+\.tar can't be read \(ClientResponseError: 503"):
        next(iter(data.val_dataloader()))


def test_a_store_without_ranges_is_refused(paired: MakeData, store: Any, tmp_path: Path) -> None:
    packed(paired(), tmp_path / "shards")
    store.ranges = False
    data = streamed(paired(), store.url, task="paired")
    data.setup()
    with pytest.raises(UserError, match=r"on a server that gives no ranges of bytes: more came for"):
        next(iter(data.val_dataloader()))


@pytest.mark.parametrize("where", ["s5://bucket/set", "http://127.0.0.1:9/set"])
def test_a_store_that_is_not_there(where: str, paired: MakeData, monkeypatch) -> None:
    monkeypatch.setattr(streaming, "_WAITS", ())
    with pytest.raises(UserError, match=rf"^data\.streaming={re.escape(where)}: .*(Protocol not known|can't be read)"):
        streamed(paired(), where).setup()
