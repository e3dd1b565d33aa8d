"""The keys of `data`: what is wanted, checked, and which pictures that means; without the machinery that loads them.

Free of torch, so that a command that only lists a data set starts at once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from suite.arguments import Example, File, Filled, Name, Positive, Range, Seed, Share, Size
from suite.data.catalog import Catalog, Kind
from suite.data.checks import Augment, check
from suite.data.depth import Depth
from suite.data.listing import (
    SetKeys,
    check_several_drawings,
    list_source,
    shared,
    with_labels,
    with_line_drawings,
    with_orphans,
    with_sketch_sets,
    with_sketches,
)
from suite.data.pictures.decode import Fit, Resize
from suite.data.splits import Needs, Wanted
from suite.errors import UserError

Task = Literal["unpaired", "paired", "labelled", "semi_supervised", "self_supervised"]
Side = Literal["a", "b"]
PictureKey = Literal["a", "b", "target", "target_truth"]  # of a batch
Streaming = Annotated[str, Filled("the folder or URL of a packed set")]
Workers = Annotated[int, Range(least=0, most=256)]  # processes; more would be thousands of megabytes


class DataKeys:
    """Every key of `data` under its own name, and what follows from them.

    `conf/data/_common.yaml` says what each means; what is not named here is an option of the source, see its function.
    Wrong values raise UserError that names the key, before the disk is touched.
    """

    def __init__(
        self,
        *,
        source: Name,
        task: Task = "unpaired",
        root: File | None = None,
        streaming: Streaming | None = None,
        size: Size = 256,
        load_size: Size = 286,
        resize: Resize = "squash",
        depth: Depth = "auto",
        crop: bool = True,
        flip: Share = 0.5,
        augment: Augment | None = None,
        channels_a: Literal[1, 3] = 3,
        channels_b: Literal[1, 3] = 3,
        direction: Literal["a2b", "b2a"] = "a2b",
        sketch: Name | None = None,
        sketch_options: Annotated[Mapping[str, Any], Example("{contrast: 1.5}")] | None = None,
        line_drawings: File | None = None,
        sketch_sets: File | None = None,
        target: Annotated[Mapping[str, Any], Example("{source: cufsf, root: my_sketches}")] | None = None,
        batch_size: Positive = 1,
        eval_batch_size: Positive = 16,
        workers: Workers = 2,
        seed: Seed = 0,
        split: Wanted | None = None,
        epoch_length: Literal["max", "min", "a", "b"] | Positive = "max",
        disjoint: bool = False,
        balanced: bool = False,
        drawings: Literal["one", "all"] = "one",
        subset: Positive | None = None,
        subset_views: Positive = 100,
        mismatched: Positive | None = None,
        on_broken: Literal["error", "skip"] = "error",
        cache: bool = True,
        cache_dir: File = "~/.cache/suite",
        **options: Any,
    ) -> None:
        given = {name: value for name, value in locals().items() if name not in ("self", "options", "__class__")}
        check(DataKeys, given | options)

        super().__init__()  # of the DataModule, for the class that is one
        self.source, self.task, self.streaming, self.options = source, task, streaming, options
        self.root = None if root is None else str(root)
        self.size, self.load_size, self.resize, self.crop, self.flip = size, load_size, resize, crop, flip
        self.depth: Depth = depth if isinstance(depth, str) else (float(depth[0]), float(depth[1]))
        self.augment = augment
        self.channels_a, self.channels_b, self.direction = channels_a, channels_b, direction
        self.sketch, self.sketch_options, self.target = sketch, sketch_options, target
        self.line_drawings, self.sketch_sets = line_drawings, sketch_sets
        self.subset, self.subset_views, self.mismatched = subset, subset_views, mismatched
        self.batch_size, self.eval_batch_size, self.workers = batch_size, eval_batch_size, workers
        self.seed, self.split, self.epoch_length = seed, split, epoch_length
        self.disjoint, self.balanced, self.drawings = disjoint, balanced, drawings
        self.on_broken, self.cache, self.cache_dir = on_broken, cache, cache_dir

    # Which pictures a batch holds -------------------------------------------------------------------------------------

    @property
    def swap(self) -> bool:
        """Whether `a` is the drawing and `b` the photo."""
        return self.direction == "b2a"

    @property
    def picture_keys(self) -> tuple[PictureKey, ...]:
        """The keys of any batch that hold pictures of one kind each, see batch.py."""
        if self.task == "labelled":
            return ("a",)
        return ("a", "b", "target") if self.task == "semi_supervised" else ("a", "b")

    def kind(self, key: PictureKey) -> Kind:
        """Whether pictures of a batch are photos or drawings; targets are what `a` is, their truth is what `b` is."""
        return "drawing" if (key in ("b", "target_truth")) != self.swap else "photo"

    def of_target(self, key: PictureKey) -> bool:
        """Whether they are of the set `data.target`: targets and their truth; of the task unpaired the drawings."""
        if self.task == "unpaired":
            return self.target is not None and self.kind(key) == "drawing"
        return key in ("target", "target_truth")

    # The data sets they come from -------------------------------------------------------------------------------------

    @property
    def own_set(self) -> SetKeys:
        """What `data` says of its data set."""
        return SetKeys("data", self.source, self.root, self.streaming, self.options, self.split)

    @property
    def target_set(self) -> SetKeys | None:
        """What `data.target` says of a second one, where there is one."""
        if self.target is None:
            return None
        options = dict(self.target)
        source, root, streaming, split = (options.pop(key, None) for key in ("source", "root", "streaming", "split"))
        return SetKeys("data.target", source, root, streaming, options, split)

    def list_pictures(self) -> Catalog:
        """What the source finds, as the task wants it: labelled records, photos with drawings of another place.

        Opens no picture. Raises UserError where the source finds nothing, or no record has what the task needs.
        """
        catalog = list_source(self.own_set, self.drawn_size)
        if self.sketch is not None:
            catalog = with_sketches(catalog, self.sketch)
        elif self.sketch_sets is not None:
            catalog = with_sketch_sets(catalog, Path(self.sketch_sets).expanduser())
        elif self.line_drawings is not None:
            catalog = with_line_drawings(catalog, Path(self.line_drawings).expanduser())
        if self.drawings == "all":
            check_several_drawings(catalog)
        return with_labels(catalog, self.source) if self.task == "labelled" else catalog

    def list_target(self) -> Catalog | None:
        """What the source of `data.target` finds, where there is one; for semi_supervised also what has no counterpart.

        A style is learnt from sketches alone: that a photo is missing says nothing against them.
        """
        if self.target_set is None:
            return None
        catalog = list_source(self.target_set, self.drawn_size)
        return with_orphans(catalog, self.kind("target")) if self.task == "semi_supervised" else catalog

    def check_apart(self, own: Catalog, target: Catalog) -> None:
        """Raises UserError where a picture of `data.target` is one of those of `data`, too."""
        of_both = [self.needs(of_target).kinds for of_target in (False, True)]
        if twice := shared(target.pictures(*of_both[1]), own.pictures(*of_both[0])):
            sets = " and ".join(one.place for one in (self.own_set, self.target_set) if one is not None)
            raise UserError(
                f"{sets}: {len(twice)} pictures of data.target are among those of data, too, such as {twice[0]}; "
                "give each set a folder of its own, neither inside the other (built-in faces: another data.target.seed)"
            )

    def warn_of_pairs(self, own: Catalog, target: Catalog) -> None:
        """Add a warning to the target's where photos of its sketches are photos of `data`: there is a pair after all.

        For semi_supervised, which is to learn the style of sketches that it knows no photo of.
        """
        if self.task != "semi_supervised":
            return
        kind = self.kind("target_truth")
        truth = [picture for record in target.records if record.paired for picture in record.pictures(kind)]
        if known := shared(truth, own.pictures(kind)):
            target.warnings.append(
                f"{len(known)} of {len(truth)} {kind}s of the pairs of data.target are among the {kind}s of data, "
                f"such as {known[0]}: what is to be learnt without pairs is trained with them; take a target of others"
            )

    def check_styles(self, split: str, pairs: int) -> None:
        """Raises UserError where a split has no other photo to evaluate a sketch of the task self_supervised with."""
        if self.task == "self_supervised" and pairs < 2:
            raise UserError(
                f"data.task=self_supervised: the split {split} has {pairs} pair, and a sketch is evaluated with the "
                "style of another photo; add some, or draw new splits with 'data.split={train: 0.9, test: 0.1}'"
            )

    def needs(self, of_target: bool) -> Needs:
        """What the task wants of `data.target`, or of the set of `data` itself."""
        kinds = tuple(self.kind(key) for key in self.picture_keys if self.of_target(key) is of_target)
        if of_target:
            truth = self.kind("target_truth") if self.task == "semi_supervised" else None
            return Needs("data.target", kinds, truth=truth)
        both = self.task == "unpaired" and len(kinds) == 2
        paired = self.task not in ("unpaired", "labelled")
        return Needs(f"data.task={self.task}", kinds, paired, disjoint=self.disjoint and both)

    # How they are stored ----------------------------------------------------------------------------------------------

    def fit(self, kind: Kind, training: bool, of_target: bool = False) -> Fit:
        """What pictures of a kind look like in the cache."""
        if self.sketch is not None and not of_target:
            kind = "photo"  # of which a sketch is made when it is used: stored once, as the photo that it is
        channels = self.channels_a if self.kind("a") == kind else self.channels_b
        if training and self.crop:
            # The device takes its windows out of pictures of one size.
            whole = self.resize == "cover" and self.augment is None
            return Fit(self.load_size, channels, self.resize, whole, self.depth)
        return Fit(self.size, channels, self.resize, depth=self.depth)

    @property
    def drawn_size(self) -> int:
        """Pixels at which a source that draws its pictures does so: as large as they are stored."""
        return self.fit("photo", training=True).side

    @property
    def skip_broken(self) -> bool:
        return self.on_broken == "skip"

    @property
    def cache_folder(self) -> Path | None:
        """Where decoded pictures are kept; None: nowhere."""
        return Path(self.cache_dir).expanduser() / "pictures" if self.cache else None
