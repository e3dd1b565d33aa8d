"""Which pictures, and what becomes of them: the keys of `data`, without the machinery that loads them.

Free of torch, so that a command that only lists a data set starts at once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from suite.data.catalog import Catalog
from suite.data.checks import check
from suite.data.listing import check_several_drawings, list_source, with_labels, with_sketches
from suite.data.pictures.decode import Fit, Resize

Task = Literal["unpaired", "paired", "labelled", "semi_supervised", "self_supervised"]
Side = Literal["a", "b"]
Kind = Literal["photo", "drawing"]


class Pictures:
    """Any source under any task: what is wanted, checked, and what the source has of it.

    `conf/data/_common.yaml` says what each argument means; what is not named here is an option of the source, see its
    function. Wrong values raise UserError that names the key, before the disk is touched.
    """

    def __init__(
        self,
        *,
        source: str,
        task: Task = "unpaired",
        root: str | None = None,
        streaming: str | None = None,
        size: int = 256,
        load_size: int = 286,
        resize: Resize = "squash",
        crop: bool = True,
        flip: float = 0.5,
        channels_a: Literal[1, 3] = 3,
        channels_b: Literal[1, 3] = 3,
        direction: Literal["a2b", "b2a"] = "a2b",
        sketch: str | None = None,
        sketch_options: Mapping[str, Any] | None = None,
        target: Mapping[str, Any] | None = None,
        batch_size: int = 1,
        eval_batch_size: int = 16,
        workers: int = 2,
        seed: int = 0,
        split: Mapping[str, float] | None = None,
        epoch_length: Literal["max", "min", "a", "b"] | int = "max",
        disjoint: bool = False,
        drawings: Literal["one", "all"] = "one",
        on_broken: Literal["error", "skip"] = "error",
        cache: bool = True,
        cache_dir: str = "~/.cache/suite",
        **options: Any,
    ) -> None:
        check(Pictures.__init__, dict(locals()))

        self.source, self.task, self.options, self.target = source, task, options, target
        self.root, self.streaming = root, streaming
        self.size, self.load_size, self.resize, self.crop, self.flip = size, load_size, resize, crop, flip
        self.channels_a, self.channels_b, self.swap = channels_a, channels_b, direction == "b2a"
        self.sketch, self.sketch_options = sketch, dict(sketch_options or {})
        self.batch_size, self.eval_batch_size, self.workers, self.seed = batch_size, eval_batch_size, workers, seed
        self.split, self.epoch_length, self.disjoint, self.drawings = split, epoch_length, disjoint, drawings
        self.skip_broken = on_broken == "skip"
        self.cache_folder = Path(cache_dir).expanduser() / "pictures" if cache else None

    def list_pictures(self) -> Catalog:
        """What the source finds, as the task wants it: labelled records, photos whose drawings will be simulated.

        Opens no picture. Raises UserError where the source finds nothing, or no record has what the task needs.
        """
        catalog = list_source("data", self.source, self.root, self.options, self.drawn_size, self.streaming)
        if self.sketch is not None:
            catalog = with_sketches(catalog, self.sketch)
        if self.drawings == "all":
            check_several_drawings(catalog)
        return with_labels(catalog, self.source) if self.task == "labelled" else catalog

    def list_target(self) -> Catalog | None:
        """What the source of `data.target` finds, where there is one."""
        if self.target is None:
            return None
        given = {
            key: value for key, value in self.target.items() if key not in ("source", "root", "split", "streaming")
        }
        source, root, streaming = self.target["source"], self.target.get("root"), self.target.get("streaming")
        return list_source("data.target", source, root, given, self.drawn_size, streaming)

    def _fit_kind(self, kind: Kind, training: bool) -> Fit:
        # A photo whose sketch is to be simulated is stored once, as the photo that it is.
        return self._fit(self._channels("photo" if self.sketch is not None else kind), training)

    def _fit_target(self, kind: Kind, training: bool) -> Fit:
        return self._fit(self.channels_a, training)

    def _fit(self, channels: int, training: bool) -> Fit:
        if training and self.crop:
            return Fit(self.load_size, channels, self.resize, whole=self._cuts_windows)
        return Fit(self.size, channels, self.resize)

    def _kind(self, side: Side) -> Kind:
        return "photo" if (side == "a") != self.swap else "drawing"

    def _channels(self, kind: Kind) -> int:
        return self.channels_a if self._kind("a") == kind else self.channels_b

    @property
    def side_of_drawings(self) -> Side | None:
        """The side whose `drawings` a batch holds as well, all of each photo; None with `drawings: one`."""
        if self.drawings == "one":
            return None
        return "a" if self.swap else "b"

    @property
    def _batch_sides(self) -> tuple[Side, ...]:
        return ("a",) if self.task == "labelled" else ("a", "b")

    @property
    def drawn_size(self) -> int:
        """Pixels at which a source that draws its pictures does so: as large as they are stored."""
        return self._fit(3, training=True).side

    @property
    def _cuts_windows(self) -> bool:
        return self.crop and self.resize == "cover"
