"""What papers add to `PerceptualPaper` that give sketches the style of another picture, and draw sketches themselves.

T draws sketches of photos; S says the style of a picture, C the content of a sketch, G1 makes a picture of both, and G2
refines it.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from suite.data.batch import Batch
from suite.errors import UserError
from suite.images import signed_to_uint8, signed_to_unit, table, to_rgb
from suite.networks.sketch_to_image.refiner_blocks import Refiner
from suite.papers.base import Direction, source_side
from suite.papers.perceptual import PerceptualPaper
from suite.papers.translation import Translation
from suite.updates.views import resized

STYLES = "styles"  # the sheet of sketches by styles
_SHOWN, _SHOWN_SIDE = 6, 256  # sketches and styles in it, and pixels of each at most
Styles = tuple[Tensor, ...]  # of S, of its last map last: (B, 2w), (B, 4w), (B, 8w)


class StyledPaper(PerceptualPaper):
    """How Liu 2021 translates, and what is measured of it; the training is the subclass's, and the networks.

    size: pixels of the auto-encoder; tom_size: of T. Sections and tables are that paper's.
    """

    G2: Refiner  # in the stage that refines
    size: int
    tom_size: int
    white_above: float  # share of white from which a pixel of T's is paper
    content_layer: str  # of the features, what T draws from
    _style: Styles | None = None  # of the pictures that are translated

    def network(self, name: str) -> nn.Module:
        """Of this stage as it translates, or of an earlier one."""
        return self.translator(name) if name in self.generators() else getattr(self, name)

    def taps(self, pictures: Tensor, *layers: str) -> list[Tensor]:
        """E of section 3: VGG's features of pictures (B, 1 or 3, H, W) in [-1, 1], one for each layer."""
        return self.held["features"].taps(pictures, layers)  # type: ignore[operator]

    def encode_style(self, pictures: Tensor) -> Styles:
        """f_style of pictures (B, C, H, W) in [-1, 1], brought to the auto-encoder's size."""
        return self.network("S")(resized(pictures, self.size))

    def decode(self, sketch: Tensor, f_style: Styles) -> Tensor:
        """I_ae (B, C, size, size) of sketches (B, 1, H, W) in [-1, 1] and as many styles."""
        sketch = resized(sketch, self.size)
        return self.network("G1")(self.network("C")(sketch), f_style, sketch)

    def refine(self, I_ae: Tensor, f_style: Styles, index: Sequence[int]) -> Tensor:
        """I_gan (B, C, output_size, output_size); the noise of a picture follows from its index alone."""
        return self.network("G2")(I_ae, f_style, [noise.to(I_ae.device) for noise in self.noise_of(index)])

    def noise_of(self, index: Sequence[int]) -> list[Tensor]:
        """What G2 is given for the pictures of these numbers, on the CPU."""
        generators = [torch.Generator().manual_seed(number) for number in index]
        return [
            torch.stack([torch.randn(shape, generator=generator) for generator in generators])
            for shape in self.G2.noise_shapes
        ]

    def colour(self, sketch: Tensor, f_style: Styles, index: Sequence[int]) -> dict[str, Tensor]:
        """What becomes of sketches (B, 1, H, W) in styles: by title, the last the stage's own."""
        made = {"auto-encoder": self.decode(sketch, f_style)}
        if self.stage == "refine":
            made["refined"] = self.refine(made["auto-encoder"], f_style, index)
        return made

    def lines_of(self, photos: Tensor, by: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Sketches of photos (B, 3, H, W) in [-1, 1]: (B, 1, tom_size, tom_size), -1 black or 1 white, by each T."""
        self.hold_features()
        (f_content,) = self.taps(resized(photos, self.tom_size), self.content_layer)
        return {name: self.black_and_white(grey(T(f_content))) for name, T in by.items()}

    def draw_lines(self, photos: Tensor) -> Tensor:
        """Those by this model's T."""
        return self.lines_of(photos, {"T": self.network("T")})["T"]

    def black_and_white(self, sketch: Tensor) -> Tensor:
        return torch.where(signed_to_unit(sketch) > self.white_above, 1.0, -1.0)

    def take_style(self, picture: Tensor) -> None:
        if not self.needs_style:
            super().take_style(picture)
        self._style = self.encode_style(picture.to(self.device))

    @torch.no_grad()
    def translate(self, batch: Batch | Tensor, direction: Direction = "a2b") -> Tensor:
        """Sketches (B, 1, H, W) to pictures; or photos, b2b, whose sketches T draws first; in tom photos to sketches.

        Of a batch each in the style of its own picture, of bare sketches all in that of `take_style`.
        """
        if self.stage == "tom":
            return self.draw_lines(batch if isinstance(batch, Tensor) else batch["a"])
        x = batch if isinstance(batch, Tensor) else batch[source_side(direction)]
        sketch = self.draw_lines(x) if direction == "b2b" else x
        if not isinstance(batch, Tensor):
            f_style, index = self.encode_style(batch["b"]), batch["index"].tolist()
        elif self._style is None:
            raise UserError("which style? Say style=<picture or folder>")
        else:
            f_style, index = tuple(f.expand(len(x), -1) for f in self._style), [0] * len(x)
        return list(self.colour(sketch, f_style, index).values())[-1]

    def as_network(self, direction: Direction) -> nn.Module:
        if self.stage == "tom" or direction == "b2b":
            raise UserError(
                "T draws in black or white alone, and a rounding of VGG's features flips pixels of it: two programs "
                "would draw other sketches; a2b of a later stage, from sketches to pictures, has no T in it"
            )
        return _InStyle(self)

    @torch.no_grad()
    def predict(self, batch: Batch) -> list[Translation]:
        """Sketches in the styles of their own pictures, and in those of others (section 5.2); in tom sketches alone."""
        if self.stage == "tom":
            lines = self.draw_lines(batch["a"])
            row = {"photo": batch["a"], "lines": lines, "line drawing": batch["b"]}
            return [Translation("a2b", lines, row, reals="b", counts=batch["fresh_a"])]
        sketch, own, index = batch["a"], batch["b"], batch["index"].tolist()
        found = []
        for name, style in {"a2b": own, "mismatched": batch["style"]}.items():
            f_style = self.encode_style(style)
            made = self.colour(sketch, f_style, index)
            output = list(made.values())[-1]
            row = {"sketch": sketch, "style": style} | {title: resized(x, own.shape[-1]) for title, x in made.items()}
            if name == "a2b":
                found.append(Translation(name, output, row, "b", truth=own, style=style, counts=batch["fresh_a"]))
            else:
                figures = {"skt_rec": self.sketch_apart(output, sketch), "sty_rec": self.style_kept(output, f_style)}
                found.append(Translation(name, output, row, "b", style=style, figures=figures))
        return found

    @torch.no_grad()
    def sheets(self, batch: Batch) -> dict[str, Tensor]:
        """Sketches by styles (Fig. 1): the first down the left, the pictures behind them along the top; of few all."""
        if self.stage == "tom":
            return {}
        sketch, style = batch["a"][:_SHOWN], batch["b"].roll(-_SHOWN, dims=0)[:_SHOWN]
        made = []
        for one in style.split(1):
            f_style = tuple(f.expand(len(sketch), -1) for f in self.encode_style(one))
            made.append(list(self.colour(sketch, f_style, [0] * len(sketch)).values())[-1])
        side = min(made[0].shape[-1], _SHOWN_SIDE)
        left, top, *columns = (to_rgb(signed_to_uint8(resized(x, side))) for x in (sketch, style, *made))
        return {STYLES: table(left, top, columns)}

    def sketch_apart(self, pictures: Tensor, sketch: Tensor) -> Tensor:
        """Skt-Rec (Table 3): the share of pixels (B,) where T's sketch of a picture is not the one before."""
        black = resized(sketch, self.tom_size) < 0
        return (black != (self.draw_lines(pictures) < 0)).float().mean(dim=(1, 2, 3))

    def style_kept(self, pictures: Tensor, f_style: Styles) -> Tensor:
        """Sty-Rec (Table 4): the cosine (B,) of the style vector of pictures and that they were made of."""
        return cosine_similarity(self.encode_style(pictures)[-1].float(), f_style[-1].float())


class _InStyle(nn.Module):
    """Sketches (B, 1, H, W) and an exemplar of style for each (B, C, H', W') to pictures; the noise of all is one."""

    def __init__(self, paper: StyledPaper) -> None:
        super().__init__()
        self.S, self.C, self.G1, self.size = *(paper.network(name) for name in ("S", "C", "G1")), paper.size
        self.G2 = paper.network("G2") if paper.stage == "refine" else None
        for number, noise in enumerate(paper.noise_of([0]) if self.G2 is not None else ()):
            self.register_buffer(f"noise_{number}", noise.to(paper.device))

    def forward(self, sketch: Tensor, style: Tensor) -> Tensor:
        sketch, f_style = resized(sketch, self.size), self.S(resized(style, self.size))
        I_ae = self.G1(self.C(sketch), f_style, sketch)
        if self.G2 is None:
            return I_ae
        return self.G2(
            I_ae, f_style, [noise.expand(sketch.shape[0], *noise.shape[1:]) for noise in self.buffers(False)]
        )


def grey(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) to (B, 1, H, W), the mean of the channels, in fp32."""
    return pictures.float().mean(dim=1, keepdim=True)
