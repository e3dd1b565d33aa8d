import hashlib
import socket

import pytest
import torch

from suite.errors import UserError
from suite.networks import weights
from suite.networks.weights import WEIGHTS, WeightFile, find

CONTENT = b"weights of a small network"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
ASK = {"option": "metrics.weights.small", "without": "metrics.features=random_vgg"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty hub cache, one small published file, and no network."""
    small = WeightFile(
        "small-1.pth", "https://nowhere.invalid/small-1.pth", DIGEST[:8], "a small network", "tiny-1.pth"
    )
    monkeypatch.setitem(WEIGHTS, "small", small)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def test_a_missing_file_is_told_in_one_line_with_place_checksum_and_way_out(cache, monkeypatch):
    def unreachable(url, dst, hash_prefix):
        raise OSError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(UserError) as raised:
        find("small", **ASK)
    message = str(raised.value)
    assert "\n" not in message
    expected = ("small-1.pth", str(cache / "small-1.pth"), DIGEST[:8], ASK["option"], ASK["without"], "not known")
    assert [part for part in expected if part not in message] == []


def test_a_download_is_checked_lands_in_the_hub_cache_and_is_not_repeated(cache, tmp_path, monkeypatch):
    published = tmp_path / "published.pth"
    published.write_bytes(CONTENT)
    served = WeightFile("small-1.pth", published.as_uri(), DIGEST[:8], "a small network")
    monkeypatch.setitem(WEIGHTS, "small", served)
    assert find("small", **ASK) == cache / "small-1.pth"
    published.unlink()
    assert find("small", **ASK).read_bytes() == CONTENT


def test_a_download_with_other_content_is_refused_and_leaves_nothing(cache, tmp_path, monkeypatch):
    published = tmp_path / "published.pth"
    published.write_bytes(b"a proxy's log-in page")
    served = WeightFile("small-1.pth", published.as_uri(), DIGEST[:8], "a small network")
    monkeypatch.setitem(WEIGHTS, "small", served)
    with pytest.raises(UserError, match="hash"):
        find("small", **ASK)
    assert list(cache.iterdir()) == []


def test_a_slow_host_is_given_up_and_the_process_keeps_its_own_timeout(cache, monkeypatch):
    seen = []
    own = socket.getdefaulttimeout()
    socket.setdefaulttimeout(77.0)

    def note(url, dst, hash_prefix):
        seen.append(socket.getdefaulttimeout())
        raise TimeoutError("timed out")

    monkeypatch.setattr(torch.hub, "download_url_to_file", note)
    try:
        with pytest.raises(UserError, match="timed out"):
            find("small", **ASK)
        assert seen == [weights.DOWNLOAD_TIMEOUT_SECONDS]
        assert socket.getdefaulttimeout() == 77.0
    finally:
        socket.setdefaulttimeout(own)


@pytest.mark.parametrize("file", ["small-1.pth", "tiny-1.pth"])
def test_the_hub_cache_is_searched_under_either_name(cache, file):
    cache.mkdir(parents=True)
    (cache / file).write_bytes(CONTENT)
    assert find("small", **ASK) == cache / file


def test_the_users_own_file_goes_first(cache, tmp_path):
    cache.mkdir(parents=True)
    (cache / "small-1.pth").write_bytes(b"damaged")
    own = tmp_path / "my.pth"
    own.write_bytes(CONTENT)
    assert find("small", own, **ASK) == own


def test_a_path_without_a_file_is_named(cache, tmp_path):
    with pytest.raises(UserError, match=r"metrics\.weights\.small.*absent\.pth"):
        find("small", tmp_path / "absent.pth", **ASK)


@pytest.mark.parametrize("where", ["given", "cached"])
def test_a_wrong_checksum_names_the_file_and_both_sums(cache, tmp_path, where):
    cache.mkdir(parents=True)
    path = tmp_path / "other.pth" if where == "given" else cache / "small-1.pth"
    path.write_bytes(b"something else")
    with pytest.raises(UserError) as raised:
        find("small", path if where == "given" else None, **ASK)
    message = str(raised.value)
    assert str(path) in message
    assert DIGEST[:8] in message
    assert hashlib.sha256(b"something else").hexdigest()[:8] in message


def test_the_table_agrees_with_the_libraries_that_publish_the_files():
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
    from torchvision.models import AlexNet_Weights, VGG16_Weights, VGG19_Weights

    published = {
        "inception": URL_INCEPTION_V3,
        "alexnet": AlexNet_Weights.IMAGENET1K_V1.url,
        "vgg16": VGG16_Weights.IMAGENET1K_V1.url,
        "vgg19": VGG19_Weights.IMAGENET1K_V1.url,
    }
    assert {name: WEIGHTS[name].url for name in published} == published
    assert WEIGHTS.keys() - published == {"dinov2"}  # no library has its address
    for entry in WEIGHTS.values():
        assert entry.url.endswith("/" + entry.file)
        assert entry.file.endswith(f"-{entry.sha256}.pth") or len(entry.sha256) == 64
