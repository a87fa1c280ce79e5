"""Sizes of a model and how it draws, as frozen values, which its file carries."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Protocol

from .formats import (
    ADDED_TRANSFORMER,
    FIRST_PUBLISHED,
    FIRST_PUBLISHED_SAMPLING,
    FIRST_SAMPLING,
    FORMAT,
    FORMAT_KEY,
    Blocks,
    Codes,
    Few,
    Layers,
    Many,
    Multipliers,
    Sides,
    Text,
    Texts,
    sampling_of_format,
    split_format,
    tokenizer_of_format,
    usual_showcase,
)
from .schema import Fields, entry, exact
from .settings import Setting, check, declared, described

NO_CLASS = "no class"  # display name of the null label
OFFICIAL_SIDES_256 = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)
OFFICIAL_SIDES_512 = (1, 2, 3, 4, 6, 9, 13, 18, 24, 32)
MOST_DRAWN = 4096  # pixels along a side of what a model draws
SCALES = "scales"  # map after map, coarse to fine: next-scale prediction
ORDERS = (SCALES, "raster", "spiral", "z-curve")  # the others visit the cells of a single map, one at a time


def _as_tuples(config: object, *fields: str) -> None:
    """JSON gives lists; frozen values hold tuples."""
    for field in fields:
        object.__setattr__(config, field, tuple(getattr(config, field)))


def _at_least_one(config: object, *fields: str) -> None:
    for field in fields:
        if getattr(config, field) < 1:
            raise ValueError(f"{field} {getattr(config, field)} is out of range: choose 1 or more.")


def _check_order(order: str, sides: tuple[int, ...]) -> None:
    """ValueError unless tokens of maps of these sides can come in this order."""
    if order not in ORDERS:
        raise ValueError(f"order '{order}': choose one of {', '.join(ORDERS)}.")
    if order != SCALES and (len(sides) != 1 or sides[0] < 2):
        raise ValueError(f"sides {sides}: the order {order} takes a single map of side 2 or more, for example (16,).")
    if order == "z-curve" and sides[0] & (sides[0] - 1):
        raise ValueError(f"side {sides[0]}: the order z-curve needs a power of two, for example 8, 16 or 32.")


@dataclass(frozen=True)
class TokenizerConfig:
    """Sizes of the multi-scale VQ tokenizer. The defaults are those of the published `vae_ch160v4096z32`.

    `stem` > 1 puts a pixel-unshuffle before the encoder and a pixel-shuffle after the decoder, so that no convolution
    runs at full resolution; 1 is the published network. `refine` > 0 lets so many channels smooth the blocks that the
    pixel-shuffle leaves, at half resolution, with `refine_blocks` residual blocks among them. `order` is that in which
    tokens come: all but "scales" are for a single map, and then there are no `phis`. With `own_codes` each scale has an
    equal part of the vocabulary to itself; the published network shares all codes among all scales. `enlarge` > 1 makes
    drawn pictures so many times as large as encoded ones, with `enlarge_channels` channels and `enlarge_blocks` blocks.
    """

    sides: Sides = OFFICIAL_SIDES_256
    vocabulary: Codes = 4096
    code_width: Many = 32
    channels: Many = 160
    multipliers: Multipliers = (1, 1, 2, 2, 4)
    residual_blocks: Layers = 2
    norm_groups: Many = 32
    stem: Few = 1
    phis: Few = 4
    refine: Many = 0
    refine_blocks: Few = 0
    order: str = SCALES
    own_codes: bool = False
    enlarge: Few = 1
    enlarge_channels: Many = 0
    enlarge_blocks: Few = 0

    def __post_init__(self) -> None:
        _as_tuples(self, "sides", "multipliers")
        _check_order(self.order, self.sides)
        counts = ("vocabulary", "code_width", "channels", "residual_blocks", "norm_groups", "stem", "phis", "enlarge")
        _at_least_one(self, *counts)
        if self.refine < 0 or (self.refine and self.stem % 2):
            raise ValueError(f"refine {self.refine}: choose 0, or more with an even stem; it is {self.stem}.")
        if self.refine_blocks < 0 or (self.refine_blocks and (not self.refine or self.refine % self.norm_groups)):
            raise ValueError(
                f"refine_blocks {self.refine_blocks}: choose 0, or more with a refine that is a multiple of "
                f"norm_groups, {self.norm_groups}; it is {self.refine}."
            )
        self._check_enlargement()
        ascending = self.sides[:1] == (1,) and list(self.sides) == sorted(set(self.sides))
        if self.order == SCALES and not ascending:
            raise ValueError(
                f"sides {self.sides}: they must start at 1 and grow strictly, for example (1, 2, 3, 4); a single map "
                f"needs another order, one of {', '.join(ORDERS[1:])}."
            )
        if self.own_codes and self.vocabulary < len(self.sides):
            raise ValueError(f"{self.vocabulary} codes for {len(self.sides)} scales of their own: choose more codes.")
        for multiplier in self.multipliers:
            if self.channels * multiplier % self.norm_groups:
                raise ValueError(
                    f"{self.channels * multiplier} channels do not divide into {self.norm_groups} groups: "
                    "choose channels that are a multiple of norm_groups."
                )
        if self.drawn_side > MOST_DRAWN:
            raise ValueError(f"pictures of {self.drawn_side} pixels a side: choose sizes that give up to {MOST_DRAWN}.")

    def _check_enlargement(self) -> None:
        """ValueError unless the network that enlarges has sizes that can be, or there is none."""
        even = self.enlarge_channels >= 2 and self.enlarge_channels % 2 == 0 and self.enlarge_blocks >= 0
        if not (self.refine and even if self.enlarge > 1 else self.enlarge_channels == self.enlarge_blocks == 0):
            names = ("enlarge", "enlarge_channels", "enlarge_blocks", "refine")
            sizes = ", ".join(f"{name} {getattr(self, name)}" for name in names)
            remedy = "choose an enlarge of 2 or more, an even number of channels and a refine, or an enlarge of 1 alone"
            raise ValueError(f"{sizes}: {remedy}.")

    @property
    def patch(self) -> int:
        """Pixels along one side of a cell of the finest token map."""
        return self.stem * 2 ** (len(self.multipliers) - 1)

    @property
    def image_side(self) -> int:
        """S, the side of the square pictures that are encoded, in pixels."""
        return self.patch * self.sides[-1]

    @property
    def drawn_side(self) -> int:
        """The side of the square pictures that are drawn, in pixels: S, or `enlarge` times as much."""
        return self.enlarge * self.image_side


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes of the VAR transformer. `classes` is also the id of the null label, "no class"."""

    sides: Sides
    classes: Many
    depth: Blocks
    width: Many
    heads: Blocks
    vocabulary: Codes = 4096
    code_width: Many = 32
    mlp_ratio: Few = 4
    shared_adaln: bool = False
    order: str = SCALES

    def __post_init__(self) -> None:
        _as_tuples(self, "sides")
        _check_order(self.order, self.sides)
        _at_least_one(self, "classes", "depth", "width", "heads", "vocabulary", "code_width", "mlp_ratio")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} does not divide into {self.heads} heads: choose a multiple.")

    @classmethod
    def of_depth(
        cls, depth: int, codes: TokenizerConfig, classes: int, shared_adaln: bool = False
    ) -> "TransformerConfig":
        """Return the sizes for a tokenizer's codes by the published shape rules: heads = depth, width = 64 * depth."""
        sizes = (depth, 64 * depth, depth, codes.vocabulary, codes.code_width)
        return cls(codes.sides, classes, *sizes, shared_adaln=shared_adaln, order=codes.order)

    @property
    def null_label(self) -> int:
        """The label that means "no class"."""
        return self.classes


class Scales(Protocol):
    """Anything that has scales, as a `Schedule` does."""

    def __len__(self) -> int: ...
    def ratio(self, scale: int) -> float: ...


@dataclass(frozen=True)
class Sampling:
    """Settings of how tokens are drawn.

    `guidance` is the paper's cfg at the last scale, 0 = off; a fraction `ramp` of it grows with the scales, from
    nothing at the first (1, the paper's way), and the rest is there at all of them. `temperature` falls with the scales
    until a fraction `cooling` of it is gone at the last (0, the paper's way: nothing). `top_k` 0 and `top_p` 1 filter
    nothing (the paper's authors use 900; 100 measured better on the bundled model, whose unlikely tokens are noise);
    `smooth` mixes codes by probability instead of choosing one: pleasant to look at, worse in the metrics.
    So many last scales, `unguided_scales`, are drawn without guidance, for half of their work; or with the guidance of
    the scale before them, enlarged, for half of their work too: `reused_scales`. `spatial_guidance` leads the finest
    third of the scales away from what the scale before them reads, enlarged (SSG, arXiv 2602.05534): crisper.
    """

    guidance: float = declared(4.0, Setting("Guidance", "How strongly the class pulls; 0 is off.", 0, 30, 0.1))
    ramp: float = declared(
        1.0,
        Setting("Guidance ramp", "The fraction of it that grows with the scales.", 0, 1, 0.1, short="ramp {}", idle=1),
    )
    temperature: float = declared(1.0, Setting("Temperature", "Below 1 safer, above 1 bolder.", 0.05, 5, 0.05))
    cooling: float = declared(
        0.0, Setting("Calmer fine scales (cooling)", "Share of the temperature gone at the end.", 0, 0.95, 0.05, idle=0)
    )
    top_k: int = declared(100, Setting("Top-k", "Only the k likeliest codes; 0 is off.", 0, 1_000_000, typed=True))
    top_p: float = declared(
        0.95, Setting("Top-p", "Only the likeliest codes up to this probability; 1 is off.", 0, 1, 0.01)
    )
    smooth: bool = declared(
        False, Setting("Smooth", "Blends codes by probability: softer, less varied.", short="smooth", idle=False)
    )
    unguided_scales: int = declared(
        0,
        Setting(
            "Scales without guidance",
            "The number of last scales that are drawn without guidance: faster, but less of the class.",
            0,
            1000,
            most_shown=10,
            short="last {} scale{s} unguided",
            idle=0,
        ),
    )
    reused_scales: int = declared(
        0,
        Setting(
            "Scales that reuse guidance",
            "The number of last scales that take the guidance of the scale before: faster, and nearly as good.",
            0,
            1000,
            most_shown=10,
            short="guidance reused at the last {} scale{s}",
            idle=0,
        ),
    )
    spatial_guidance: float = declared(
        0.0,
        Setting(
            "Spatial guidance",
            "How far the finest third of the scales goes beyond the scale before: crisper; 0 is off.",
            0,
            5,
            0.1,
            short="spatial guidance {}",
            idle=0,
        ),
    )

    def __post_init__(self) -> None:
        check(self)

    def strength(self, scale: int, schedule: Scales) -> float:
        """t of `guide` at a scale: the paper's cfg * k / (K - 1) if all grows; 0 at the last `unguided_scales`."""
        ramped = 1 - self.ramp + self.ramp * schedule.ratio(scale)
        return self.guidance * ramped * (scale < len(schedule) - self.unguided_scales)

    def heat(self, scale: int, schedule: Scales) -> float:
        """The temperature at a scale."""
        return self.temperature * (1 - self.cooling * schedule.ratio(scale))

    def describe(self) -> list[str]:
        """Return the settings as a user reads them; what does nothing is left out."""
        return described(self)


@dataclass(frozen=True)
class LoadOptions:
    """Choice of where a model runs, and how: what `Pipeline.load` takes besides its name.

    `device` is "auto", "cpu", "cuda" or "mps"; `dtype` is that of the products in the transformer's blocks (see
    `pick_dtype`); `compiled` lets torch.compile fuse these blocks.
    """

    device: str = "auto"
    dtype: str = "auto"
    compiled: bool = False


AUTO, ON_CPU = LoadOptions(), LoadOptions("cpu")


@dataclass(frozen=True)
class ModelSpec:
    """A whole model: its name, its two networks, the name, group and synonyms of each class, and how it draws best."""

    name: Text
    tokenizer: TokenizerConfig
    transformer: TransformerConfig
    class_names: Texts = ()
    class_groups: Texts = ()
    class_synonyms: tuple[tuple[str, ...], ...] = ()
    default_sampling: Sampling = Sampling()
    showcase: Text = ""  # a class that it draws well, shown first; empty: the first one

    def __post_init__(self) -> None:
        _as_tuples(self, "class_names", "class_groups")
        object.__setattr__(self, "class_synonyms", tuple(map(tuple, self.class_synonyms)))
        called = Counter(name.casefold() for name in (*self.class_names, NO_CLASS))
        if twice := sorted(name for name, count in called.items() if count > 1):
            raise ValueError(f"several classes are called '{twice[0]}': give each a name of its own.")
        for field in ("sides", "order", "vocabulary", "code_width"):
            ours, theirs = getattr(self.tokenizer, field), getattr(self.transformer, field)
            if ours != theirs:
                raise ValueError(f"tokenizer and transformer disagree on {field}: {ours} and {theirs}.")
        if self.showcase and self.class_names and self.showcase not in self.class_names:
            raise ValueError(f"showcase '{self.showcase}' is no class of {self.name}: choose one of its classes.")
        for field in ("class_names", "class_groups", "class_synonyms"):
            if (count := len(getattr(self, field))) not in (0, self.transformer.classes):
                raise ValueError(f"{count} {field} for {self.transformer.classes} classes: give one to each, or none.")

    def need_scales(self, what: str) -> None:
        """ValueError unless the model draws scale by scale, which is what `what` shows."""
        if self.transformer.order != SCALES:
            raise ValueError(
                f"{self.name} draws cell after cell, in {self.transformer.order} order, and {what} shows scale after "
                "scale: choose a model that predicts scales."
            )

    def class_name(self, label: int) -> str:
        """The display name of a label; "no class" for the null label. ValueError if there is no such label."""
        if not 0 <= label <= self.transformer.null_label:
            raise ValueError(f"class {label}: this model has 0 to {self.transformer.classes - 1}.")
        if label == self.transformer.null_label:
            return NO_CLASS
        return self.class_names[label] if self.class_names else str(label)

    def names_of(self, label: int) -> tuple[str, ...]:
        """All that a class is called: its display name, then its synonyms."""
        known = self.class_synonyms and label != self.transformer.null_label
        return self.class_name(label), *(self.class_synonyms[label] if known else ())

    def label(self, text: str) -> int:
        """The label of a class given by display name, synonym (both in any case) or number.

        A display name wins over a synonym. ValueError names the nearest ones, or those that share the synonym.
        """
        meanings, wanted = self._meanings(), text.strip().casefold()
        labels = meanings.get(wanted, ())
        if len(labels) > 1:
            raise ValueError(f"'{text}' may mean {' or '.join(map(self.class_name, labels))}: say which.")
        if labels:
            return labels[0]
        if wanted.isdecimal() and int(wanted) <= self.transformer.null_label:
            return int(wanted)
        near = [word for word in meanings if wanted in word] + get_close_matches(wanted, meanings, n=9, cutoff=0.4)
        names = list(dict.fromkeys(self.class_name(label) for word in near for label in meanings[word]))
        hint = ", ".join(names[:3] or map(self.class_name, (0, self.transformer.classes - 1)))
        raise ValueError(f"There is no class '{text}'. Did you mean: {hint}?")

    def _meanings(self) -> dict[str, tuple[int, ...]]:
        """Map what may be typed, folded, to the labels that it may mean: every name, then what is a synonym only."""
        labels = range(self.transformer.classes + 1)
        names = {self.class_name(label).casefold(): (label,) for label in labels}
        shared: dict[str, list[int]] = {}
        for label in labels:
            for word in dict.fromkeys(word.casefold() for word in self.names_of(label)[1:]):
                shared.setdefault(word, []).append(label)
        synonyms = {word: tuple(found) for word, found in shared.items()}
        return names | synonyms | names  # names come first, and win

    def to_dict(self) -> Fields:
        """Return plain values, ready for JSON, with the version of their format."""
        return {FORMAT_KEY: FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "ModelSpec":
        """Read what `to_dict` wrote, now or in an earlier version.

        Unknown or missing fields, and sizes beyond all models, raise TypeError; what cannot go together ValueError.
        """
        return exact(cls, upgrade(values))


def upgrade(values: Mapping[str, object]) -> Fields:
    """Return the fields of a `ModelSpec` as they are today, from values of this or any earlier format.

    ValueError if a later version of this program wrote them.
    """
    version, told = split_format("this model's description", values)
    if version == 1:
        told = {"class_names": [], "class_groups": (), "class_synonyms": (), **told}
        told = {"showcase": usual_showcase(entry(told, "class_names", list)), **told}
        told["transformer"] = {**ADDED_TRANSFORMER, **entry(told, "transformer", dict)}
        first = FIRST_PUBLISHED_SAMPLING if told["name"] in FIRST_PUBLISHED else FIRST_SAMPLING
        told["default_sampling"] = {**first, **entry({"looks": told.pop("looks", {})}, "looks", dict)}
    told["tokenizer"] = tokenizer_of_format(version, entry(told, "tokenizer", dict))
    told["default_sampling"] = sampling_of_format(version, entry(told, "default_sampling", dict))
    return told
