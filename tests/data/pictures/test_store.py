import multiprocessing
import os
import pickle
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from suite.data.catalog import PictureFile
from suite.data.pictures import decode
from suite.data.pictures.decode import Fit
from suite.data.pictures.store import DecodedStore, find_cache, fingerprint, open_cache
from suite.errors import UserError
from suite.run import interrupts

FIT = Fit(8, 3, "cover", whole=True)
IN_PARALLEL = 2 * decode._PICTURES_PER_WORKER


@dataclass(frozen=True)
class Drawn:
    """A picture without a file; a slow one takes a tenth of a second."""

    number: int
    slow: bool = False

    def load(self):
        if self.slow:
            time.sleep(0.1)
        return Image.fromarray(np.random.default_rng(self.number).integers(0, 256, (9, 11, 3)).astype(np.uint8))

    def identity(self):
        return f"drawn {self.number}"

    @property
    def name(self):
        return f"number {self.number}"


def open_(pictures, folder, fit=FIT, skip_broken=False):
    return open_cache(pictures, fit, folder, "test", skip_broken)


@pytest.fixture
def files(picture):
    sizes = [(12, 10), (10, 12), (31, 8), (8, 8)]
    return [PictureFile(picture(f"in/{number}.png", size, seed=number)) for number, size in enumerate(sizes)]


@pytest.mark.parametrize("fit", [FIT, Fit(8, 1), Fit(5, 3, "cover")])
def test_cache_holds_what_decoding_gives(tmp_path, files, fit):
    cached, decoded = open_(files, tmp_path / "cache", fit), DecodedStore(files, fit)
    for position in range(len(files)):
        np.testing.assert_array_equal(cached.read(position), decoded.read(position))
    assert sorted(path.name for path in cached.folder.iterdir()) == [
        "about.json",
        "digests.npy",
        "index.npy",
        "pixels.bin",
    ]


def test_two_files_of_one_picture_have_one_digest(tmp_path, files):
    copied = tmp_path / "in" / "copied.bmp"
    Image.open(files[1].path).save(copied)
    store = open_([*files, PictureFile(copied)], tmp_path / "cache", Fit(4, 3))
    digests = [row.tobytes() for row in store.digests()]
    assert digests[4] == digests[1]
    assert len(set(digests)) == 4
    finer = open_(files, tmp_path / "cache", Fit(6, 3)).digests()
    np.testing.assert_array_equal(finer, store.digests()[:4])  # of the pixels before they were fitted


def test_a_cache_of_old_is_read_and_knows_no_digests(tmp_path, files):
    (open_(files, tmp_path / "cache").folder / "digests.npy").unlink()
    store = open_(files, tmp_path / "cache")
    assert store.digests() is None
    np.testing.assert_array_equal(store.read(1), DecodedStore(files, FIT).read(1))


def test_many_pictures_are_decoded_by_processes_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(decode, "_cores", lambda: 2)
    pictures = [Drawn(number) for number in range(IN_PARALLEL + 3)]
    cached, decoded = open_(pictures, tmp_path), DecodedStore(pictures, FIT)
    for position in range(len(pictures)):
        np.testing.assert_array_equal(cached.read(position), decoded.read(position))


def test_each_file_is_opened_once_and_every_process_has_its_part(tmp_path, picture, monkeypatch):
    monkeypatch.setattr(decode, "_cores", lambda: 2)
    opened, really = tmp_path / "opened", Image.open

    def noted(file, **options):
        with opened.open("a") as log:  # one short write of each, whichever process it is in
            log.write(f"{os.getpid()} {file}\n")
        return really(file, **options)

    files = [PictureFile(picture(f"in/{number}.png", seed=number)) for number in range(IN_PARALLEL)]
    monkeypatch.setattr(Image, "open", noted)
    store = open_(files, tmp_path / "cache")
    processes, names = zip(*(line.split() for line in opened.read_text().splitlines()), strict=True)
    assert sorted(names) == sorted(file.name for file in files)
    assert len(set(processes) - {str(os.getpid())}) == 2
    for position in range(len(files)):
        store.read(position)
    assert len(opened.read_text().splitlines()) == len(files)


def test_a_second_run_decodes_nothing(tmp_path, files, monkeypatch):
    first = open_(files, tmp_path / "cache")
    monkeypatch.setattr(Fit, "flat", lambda *_: pytest.fail("decoded again"))
    assert open_(files, tmp_path / "cache").folder == first.folder
    assert find_cache(files, FIT, tmp_path / "cache", "test", False).folder == first.folder


def test_what_changes_the_pixels_changes_the_fingerprint(files):
    original = fingerprint(files, FIT)
    others = [Fit(9, 3, "cover", True), Fit(8, 1, "cover", True), Fit(8, 3, "squash"), Fit(8, 3, "cover")]
    assert len({original, *(fingerprint(files, fit) for fit in others), fingerprint(files[::-1], FIT)}) == 6
    assert fingerprint([PictureFile(file.path, "left") for file in files], FIT) != original
    assert fingerprint(list(files), FIT) == original
    stat = files[0].path.stat()
    os.utime(files[0].path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert fingerprint(files, FIT) != original


def test_names_in_any_bytes(tmp_path):
    name = os.fsencode(tmp_path) + b"/gr\xe9goire.png"  # Latin-1, as old archives unpack
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    os.rename(tmp_path / "x.png", name)
    assert open_([PictureFile(Path(os.fsdecode(name)))], tmp_path / "cache").read(0).shape == (3, 8, 8)


def test_building_leaves_the_global_generator_alone(tmp_path):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    open_([Drawn(number) for number in range(IN_PARALLEL)], tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_pickled_store_carries_no_pixels(tmp_path):
    store = open_([Drawn(number) for number in range(100)], tmp_path)
    pixels = store.read(5)
    sent = pickle.dumps(store)
    assert len(sent) < 6000 < 100 * pixels.size
    np.testing.assert_array_equal(pickle.loads(sent).read(5), pixels)


def test_a_broken_file_stops_and_is_named(tmp_path, files):
    files[2].path.write_text("no picture")
    with pytest.raises(UserError, match=r"in/2\.png: no readable picture .*data\.on_broken=skip") as error:
        open_(files, tmp_path / "cache")
    assert "\n" not in str(error.value)
    assert list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(UserError, match=r"in/2\.png: no readable picture"):
        DecodedStore(files, FIT).read(2)


def test_a_broken_file_is_skipped_on_demand_and_not_forgotten(tmp_path, files):
    files[2].path.write_bytes(b"")
    store = open_(files, tmp_path / "cache", skip_broken=True)
    assert store.broken == {2: str(files[2].path)}
    np.testing.assert_array_equal(store.read(3), DecodedStore(files, FIT).read(3))
    with pytest.raises(UserError, match=r"in/2\.png: no readable picture"):
        open_(files, tmp_path / "cache")


def test_a_file_that_vanished_is_named(tmp_path, files):
    files[1].path.unlink()
    with pytest.raises(UserError, match=r"in/1\.png: no readable picture"):
        open_(files, tmp_path / "cache")


def test_a_folder_that_cant_be_written_is_named(tmp_path, files):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserError, match=r"data\.cache_dir=.*can't be written .*data\.cache=false") as error:
        open_(files, tmp_path / "cache" / "pictures")
    assert "\n" not in str(error.value)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, files, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        open_(files, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cut_off_cache_is_refused(tmp_path, files):
    store = open_(files, tmp_path / "cache")
    with (store.folder / "pixels.bin").open("r+b") as pixels:
        pixels.truncate(100)
    with pytest.raises(UserError, match="is damaged; delete the folder"):
        open_(files, tmp_path / "cache")


@pytest.mark.parametrize("name", ["about.json", "index.npy"])
@pytest.mark.parametrize("damage", ["cut off", "other numbers", "gone"])
def test_a_damaged_index_is_refused(name, damage, tmp_path, files):
    path = open_(files, tmp_path / "cache").folder / name
    if damage == "gone":
        path.unlink()
    elif damage == "cut off":
        path.write_bytes(path.read_bytes()[:-9])
    elif name == "about.json":
        path.write_text('{"channels": 2, "broken": {}}')
    else:
        index = np.load(path)
        index[0, 0] += 1  # the first picture would be shown from its second byte on
        np.save(path, index)
    with pytest.raises(UserError, match="is damaged; delete the folder"):
        open_(files, tmp_path / "cache")


def build(folder, count, slow):
    open_([Drawn(number, slow) for number in range(count)], folder)


def started(folder, count, slow=False):
    process = multiprocessing.get_context("fork").Process(target=build, args=(folder, count, slow))
    process.start()
    return process


def test_two_builders_at_once_both_succeed(tmp_path):
    builders = [started(tmp_path, 5, slow=True) for _ in range(2)]
    for builder in builders:
        builder.join(30)
    assert [builder.exitcode for builder in builders] == [0, 0]
    (finished,) = tmp_path.iterdir()
    assert "unfinished" not in finished.name
    np.testing.assert_array_equal(open_([Drawn(n) for n in range(5)], tmp_path).read(4), FIT.decode(Drawn(4)))


def build_until_told(folder, count, slow):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would be ignored, as it should
    interrupts.listen()
    build(folder, count, slow)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_builder_that_is_told_to_end_leaves_nothing(number, tmp_path):
    builder = multiprocessing.get_context("fork").Process(target=build_until_told, args=(tmp_path, 400, True))
    builder.start()
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob("*.unfinished-*/pixels.bin")) and time.monotonic() < deadline:
        time.sleep(0.01)
    while builder.is_alive() and time.monotonic() < deadline:  # Python loses what a handler raises within a fork
        os.kill(builder.pid, number)
        builder.join(0.5)
    assert builder.exitcode == 1  # of a KeyboardInterrupt that nobody turns into a command's exit code
    assert list(tmp_path.iterdir()) == []


def test_a_killed_builder_leaves_a_folder_that_a_later_one_removes(tmp_path):
    builder = started(tmp_path, 10, slow=True)
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob("*.unfinished-*/pixels.bin")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(builder.pid, signal.SIGKILL)
    builder.join(10)
    (left,) = tmp_path.glob("*.unfinished-*")

    build(tmp_path, 10, slow=False)  # the same pictures: not misled by what is left, which may be a living builder's
    assert left.exists()
    for path in (*left.iterdir(), left):
        os.utime(path, (0, 0))
    build(tmp_path, 11, slow=False)
    assert not left.exists()
    assert len(list(tmp_path.iterdir())) == 2
