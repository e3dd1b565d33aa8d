"""The page in a real browser: what is drawn or uploaded there is translated, and nothing is asked of another host."""

import io
import math
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from suite.demo_page.examples import Examples
from suite.demo_page.trained import Trained
from suite.errors import UserError

pytest.importorskip("gradio", reason="needs the extra demo")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra dev")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def free_port() -> int:
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        return there.getsockname()[1]


@pytest.fixture(scope="module")
def trained(both_ways: Path) -> Trained:
    return Trained.load(both_ways, "run", "last", "cpu", "eval", None)


@pytest.fixture(scope="module")
def address(trained: Trained, both_ways: Path) -> Iterator[str]:
    """Of the page of a CycleGAN, served from this process; at its end nothing of it is left."""
    from suite.demo_page.serving import check_address, folder_of_page, served

    port = free_port()
    with folder_of_page() as place:
        from suite.demo_page.page import build
        from suite.demo_page.panel import Tries

        page = build([trained], Tries(Examples(both_ways).write(place)))
        with served(page, "127.0.0.1", port, place) as found:
            with pytest.raises(
                UserError, match=rf"^port={port} is in use: end what runs there, or say another, as port="
            ):
                check_address("127.0.0.1", port)
            yield found
    assert not place.exists()
    check_address("127.0.0.1", port)


@pytest.fixture(scope="module")
def page(chromium: str, address: str) -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        yield page
        browser.close()
    hosts = {urlsplit(url).netloc for url in asked if urlsplit(url).scheme not in ("data", "blob")}
    assert hosts == {urlsplit(address).netloc}
    assert len(asked) > 10


def press(page: Any) -> None:
    page.locator("button:visible", has_text="Translate").click()


def picture(page: Any, number: int = 0) -> Image.Image:
    """One that was made, as the page shows it."""
    shown = page.locator(".made img:visible").nth(number)
    shown.wait_for()
    return Image.open(io.BytesIO(page.request.get(shown.get_attribute("src")).body()))


def upload(page: Any, path: Path) -> None:
    page.locator("button:visible", has_text="Clear").click()
    page.get_by_text("Click to Upload").locator("visible=true").wait_for()
    page.locator("input[type=file]").first.set_input_files(path)


def test_an_uploaded_photo_is_shown_before_and_after(page: Any, trained: Trained, tmp_path: Path) -> None:
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    photo.save(tmp_path / "photo.png")
    upload(page, tmp_path / "photo.png")
    press(page)
    before, after = trained.translate(photo, "a2b")
    assert before.size == after.size == (43, 32)  # the shorter side as in training
    shown = [picture(page, number) for number in (0, 1)]
    assert {one.tobytes() for one in (before.convert("RGB"), after.convert("RGB"))} == {
        one.convert("RGB").tobytes() for one in shown
    }


def test_a_broken_upload_is_said_on_the_page(page: Any, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    upload(page, tmp_path / "broken.png")
    press(page)
    page.get_by_text("This photo is no picture that can be read").wait_for()
    assert "Traceback" not in "".join(capfd.readouterr())


def test_what_is_drawn_is_translated(page: Any, trained: Trained) -> None:
    page.get_by_role("tab", name="Drawing to photo").click()
    pad = page.locator(".pad canvas:visible").first
    pad.wait_for()
    press(page)
    page.get_by_text("The pad is white: draw something first.").wait_for()

    box = pad.bounding_box()
    for turn in range(17):
        x = box["x"] + box["width"] * (0.5 + 0.25 * math.cos(turn * math.pi / 8))
        y = box["y"] + box["height"] * (0.5 + 0.2 * math.sin(turn * math.pi / 8))
        page.mouse.move(x, y)
        if turn == 0:
            page.mouse.down()
    page.mouse.up()
    press(page)
    made = picture(page)
    white = trained.translate(Image.new("RGB", (512, 512), "white"), "b2a")[1]
    assert made.size == white.size == (32, 32)
    pixels = np.asarray(made, int)
    assert pixels.std() > 20  # not blank
    assert np.abs(pixels - np.asarray(white, int)).max() > 50  # what was drawn has been read
    assert np.abs(pixels[..., 0] - pixels[..., 1]).max() > 20  # no drawing, which would be grey


def test_an_example_is_translated_at_once(page: Any, trained: Trained, both_ways: Path, tmp_path: Path) -> None:
    drawings = Examples(both_ways).write(tmp_path)["b"]
    page.get_by_role("tab", name="Drawing to photo").click()
    page.locator("button:visible", has_text="Clear").click()
    page.locator(".made img:visible").wait_for(state="detached")
    page.locator("button.gallery-item:visible").nth(1).click()
    assert picture(page).tobytes() == trained.translate(Image.open(drawings[1]), "b2a")[1].tobytes()
