"""One way through the models on the page: what is read on the left, what each model makes of it beside that.

sketch pad | upload    [style]  [label]        ─► Translate ─►        a picture, or before | after, of each model
examples
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from suite.data.catalog import PictureFile
from suite.demo_page.trained import Trained, Way
from suite.errors import UserError

CANVAS = 512  # pixels, a side of the sketch pad
_LINE = 1.5  # pixels, the width of its pencil at the size that the model reads
_HEIGHT = 460  # pixels, of a picture on the page

# Of each event: nothing of the page is offered to programs. At once: it needs no model.
_PRIVATE: dict[str, Any] = {"api_visibility": "private"}
_AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden"} | _PRIVATE
_ONE_BY_ONE: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "models"} | _PRIVATE


@dataclass(frozen=True)
class Tries:
    """Picture files to try a page with, by side of a batch; `lacking` says why there are none."""

    of_side: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    lacking: str = ""


class Panel:
    """The components of a way, laid out where they are made, and what happens between them."""

    def __init__(self, way: Way, trained: Sequence[Trained], tries: Tries) -> None:
        self.way, self.trained = way, trained
        self.pad: gr.Sketchpad | None = None
        self.places: gr.Tabs | None = None
        self.drawn = gr.State(way.draws)  # whether the pad is read, not the upload
        styles = list(tries.of_side.get("b", ())) if self.styled else []
        examples = list(tries.of_side.get(way.side, ()))
        with gr.Row():
            with gr.Column(min_width=340):
                self._lay_out_reading()
                self.style = self._style(styles) if self.styled else None
                self.label = gr.Radio(list(way.directions), label="Label") if len(way.directions) > 1 else None
                with gr.Row():
                    clear = gr.Button("Clear")
                    press = gr.Button("Translate", variant="primary")
            self.made = [self._made(one) for one in trained] if len(trained) == 1 else []
        if len(trained) > 1:  # in a row of their own, or the last would stand below the others
            with gr.Row():
                self.made = [self._made(one) for one in trained]
        chosen = _examples(f"Examples: {way.source}s", examples)
        chosen_style = _examples("Examples of styles", styles)
        if tries.lacking:
            gr.Markdown(f"No examples: {tries.lacking}")

        made: dict[str, Any] = {"fn": self.translate, "inputs": self._inputs(), "outputs": self.made} | _ONE_BY_ONE
        press.click(**made)
        emptied = [*filter(None, (self.upload, self.pad)), *self.made]
        clear.click(lambda: [None] * len(emptied), outputs=emptied, **_AT_ONCE)
        if chosen is not None:
            shown = [self.upload, self.drawn, *filter(None, (self.places,))]
            picked = chosen.click(lambda number: self._example(examples[number]), chosen, shown, **_AT_ONCE)
            picked.success(**made)
        if chosen_style is not None:
            chosen_style.click(lambda number: str(styles[number]), chosen_style, self.style, **_AT_ONCE)

    @property
    def styled(self) -> bool:
        return any(one.model.needs_style for one in self.trained)

    # What is on it ----------------------------------------------------------------------------------------------------

    def _lay_out_reading(self) -> None:
        """An upload; where drawings are read behind a sketch pad, each in a tab."""
        if not self.way.draws:
            self.upload = self._upload()
            return
        with gr.Tabs(selected="draw") as self.places:
            with gr.Tab("Draw", id="draw") as draw:
                self.pad = self._sketch_pad()
            with gr.Tab("Upload", id="upload") as upload:
                self.upload = self._upload()
        draw.select(lambda: True, outputs=self.drawn, **_AT_ONCE)
        upload.select(lambda: False, outputs=self.drawn, **_AT_ONCE)

    def _sketch_pad(self) -> gr.Sketchpad:
        radius = round(_LINE / 2 * CANVAS / max(one.size for one in self.trained))
        colours = ["#000000"] if self.way.grey else ["#000000", "#c0392b", "#e0b089", "#f1c40f", "#27ae60", "#2980b9"]
        return gr.Sketchpad(
            image_mode="RGB",
            type="pil",
            format="png",
            canvas_size=(CANVAS, CANVAS),
            fixed_canvas=True,
            brush=gr.Brush(default_size=min(max(radius, 2), 12), colors=list(colours), color_mode="fixed"),
            layers=False,
            transforms=(),
            height=_HEIGHT,
            buttons=[],
            show_label=False,
            elem_classes="pad",
        )

    def _upload(self) -> gr.Image:
        upload = gr.Image(
            label=self.way.source.capitalize(), sources=["upload", "clipboard"], height=_HEIGHT, buttons=["fullscreen"]
        )
        upload.preprocess = _path  # type: ignore[method-assign]
        return upload

    def _style(self, styles: Sequence[Path]) -> gr.Image:
        style = gr.Image(
            str(styles[0]) if styles else None, label="Style", sources=["upload", "clipboard"], height=220, buttons=[]
        )
        style.preprocess = _path  # type: ignore[method-assign]
        return style

    def _made(self, one: Trained) -> gr.Image | gr.ImageSlider:
        """Where the translation of a model is shown; of what can't be drawn beside what it was made of."""
        label = "Translation" if len(self.trained) == 1 else f"{one.name}: {one.said()}"
        with gr.Column(min_width=340):
            if self.way.draws:
                return gr.Image(
                    label=label,
                    interactive=False,
                    format="png",
                    height=_HEIGHT,
                    elem_classes="made",
                    buttons=["download", "fullscreen"],
                )
            return gr.ImageSlider(
                label=f"{label}: before | after",
                interactive=False,
                format="png",
                height=_HEIGHT,
                elem_classes="made",
                buttons=["download", "fullscreen"],
            )

    # What happens -----------------------------------------------------------------------------------------------------

    def _inputs(self) -> list[Any]:
        return [self.drawn, self.upload, *filter(None, (self.pad, self.style, self.label))]

    def translate(self, drawn: bool, upload: str | None, *others: Any) -> Any:
        """What each model makes of what is there, for `made`. Raises gr.Error, which the page shows."""
        rest = list(others)
        pad = None if self.pad is None else rest.pop(0)
        style = None if self.style is None else rest.pop(0)
        label = next(iter(self.way.directions)) if self.label is None else rest.pop(0)
        try:
            picture = _drawing(pad) if drawn else _opened(upload, self.way.source)
            if label is None:
                raise UserError("To which label? Choose one.")
            of_style = None if self.style is None else _opened(style, "style")
            both = [one.translate(picture, self.way.directions[label], of_style) for one in self.trained]
        except (UserError, ValueError) as error:  # a ValueError: of values that can't be brought to 8 bits
            raise gr.Error(str(error), print_exception=False) from error
        shown = [after if self.way.draws else (before, after) for before, after in both]
        return shown[0] if len(shown) == 1 else shown

    def _example(self, picture: Path) -> list[Any]:
        """It is uploaded, and the upload is read."""
        return [str(picture), False, *([] if self.places is None else [gr.Tabs(selected="upload")])]


def _examples(label: str, pictures: Sequence[Path]) -> gr.Dataset | None:
    if not pictures:
        return None
    return gr.Dataset(
        label=label,
        components=[gr.Image(visible=False)],
        samples=[[str(picture)] for picture in pictures],
        type="index",
        samples_per_page=len(pictures),
    )


def _path(payload: Any) -> str | None:
    """Of an uploaded file, in place of Gradio's own decoding: it is read as `suite.translate` reads files."""
    return None if payload is None else payload.path


def _opened(path: str | None, what: str) -> Image.Image:
    """An uploaded picture. Raises UserError where there is none, or it can't be decoded."""
    if path is None:
        raise UserError(f"There is no {what} yet: upload one, or choose an example.")
    try:
        return PictureFile(Path(path)).load()
    except MemoryError as error:
        raise UserError(f"This {what} is too large for the memory: scale it down.") from error
    except OSError as error:
        raise UserError(f"This {what} is no picture that can be read ({' '.join(str(error).split())}).") from error


def _drawing(pad: Mapping[str, Any] | None) -> Image.Image:
    """What is on the sketch pad. Raises UserError where it is white."""
    drawing = None if pad is None else pad["composite"]
    if drawing is None or drawing.convert("L").getextrema() == (255, 255):
        raise UserError("The pad is white: draw something first.")
    return drawing
