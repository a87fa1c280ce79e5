"""Commands that train: a tokenizer, its decoder, a transformer, a masked path."""

import argparse
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from ..config import ORDERS, SCALES, TokenizerConfig, TransformerConfig
from ..engine.pipeline import pick_device, pick_dtype
from ..nn.tokenizer import Tokenizer
from ..nn.transformer import PARTS, VAR
from ..schema import Fields, entry
from ..training.aligned_task import KEPT as KEPT_OF_ALIGNMENT
from ..training.aligned_task import AlignedSettings, AlignedTask
from ..training.crops import CropTokens
from ..training.data import Classes
from ..training.decoder_task import DecoderSettings, DecoderTask, refined
from ..training.distilled_task import KEPT as KEPT_OF_DISTILLATION
from ..training.distilled_task import DistilledSettings, DistilledTask
from ..training.enlarging_task import EnlargingTask, check_enlarging
from ..training.export import load_tokenizer
from ..training.masked_task import KEPT, MaskedSettings, MaskedTask
from ..training.tokenizer_task import TokenData, TokenizerSettings, TokenizerTask, same_in_file, same_tokenizer
from ..training.trainer import Budget, Network, Task, config_in
from ..training.transfer import TRANSLATED, translated
from ..training.transformer_task import TransformerSettings, TransformerTask
from ..weights import checkpoints
from .shared import TOKENIZER_HELP, Commands, command, device_option, integers, jointly, read_pictures, say
from .training_run import optimisation, read_crops, read_sharp, read_tokens, resumed, run_training, training_options

SIDES = (1, 2, 3, 4, 6, 10, 16)  # of a tokenizer's maps that is trained from nothing
DECODER_SIZES = ("refine", "refine_blocks", "enlarge", "enlarge_channels", "enlarge_blocks")  # those that can be added
START_HELP = (
    f"begin with the weights of this one, of its sizes but for --residual-blocks and its maps: {TOKENIZER_HELP}"
)


def carry_out(task: Task[Network], options: argparse.Namespace) -> None:
    """Train for as long as the command line says."""
    budget = Budget(options.minutes, options.steps, options.cooldown)
    run_training(task, options.out, budget, options.resume, options.report_minutes)


@jointly
def train_tokenizer(options: argparse.Namespace) -> None:
    """Train a tokenizer, or go on with one."""
    settings, kept = optimisation(options), resumed(options, TokenizerTask.KIND)
    start = load_tokenizer(options.start) if options.start and not kept else None
    config = config_in(kept, TokenizerConfig) if kept else chosen_tokenizer_sizes(options, start)
    data = read_pictures(options, config.image_side)
    torch.manual_seed(options.seed)
    losses, device = TokenizerSettings(perceptual=options.perceptual), pick_device(options.device)
    carry_out(TokenizerTask(config, data, losses, settings, device, start), options)


def chosen_tokenizer_sizes(options: argparse.Namespace, start: Tokenizer | None) -> TokenizerConfig:
    """Return the sizes on the command line, or a tokenizer's to start from with the blocks and maps asked for."""
    usual = start.config.residual_blocks if start else 1
    blocks = usual if options.residual_blocks is None else options.residual_blocks
    if start:
        sides = options.sides or (start.config.sides if options.order == SCALES else start.config.sides[-1:])
        return replace(
            start.config, residual_blocks=blocks, sides=sides, order=options.order, own_codes=options.own_codes
        )
    return TokenizerConfig(
        options.sides or SIDES,
        options.vocabulary,
        options.code_width,
        options.channels,
        options.multipliers,
        blocks,
        options.norm_groups,
        options.stem,
        order=options.order,
        own_codes=options.own_codes,
    )


@jointly
def train_decoder(options: argparse.Namespace) -> None:
    """Train the decoder of a trained tokenizer on, or go on with that: tokens keep their meaning."""
    settings, kept = optimisation(options), resumed(options, DecoderTask.KIND)
    tokenizer, device = load_tokenizer(options.tokenizer), pick_device(options.device)
    if kept:
        same_tokenizer(kept, tokenizer)
    sizes = entry(kept, "config", dict) if kept else vars(options)
    tokenizer = refined(tokenizer, **{name: sizes[name] for name in DECODER_SIZES})
    if (tokenizer.config.enlarge > 1) != (options.detail is not None):
        raise ValueError("--detail names the sharp pictures that an --enlarge of 2 or more learns from: give both.")
    var = load_drawing_transformer(options, tokenizer, device) if options.drawn_by else None
    if kept and kept["drawn"] and not var:
        raise ValueError(f"In {options.out} a model draws half of the last tokens: name it with --drawn-by.")
    if kept and kept["maps"] and not options.feature_adversarial:
        raise ValueError(f"In {options.out} features are judged too: say how much with --feature-adversarial.")
    losses = DecoderSettings(options.perceptual, options.adversarial, options.feature_adversarial)
    if options.detail is not None:
        check_enlarging(tokenizer.config, losses, settings)
    data = read_pictures(options, tokenizer.config.image_side)
    tokens = read_tokens(options, tokenizer.to(device), device, lambda: data)
    torch.manual_seed(options.seed)
    given = (tokenizer, data, tokens.train, losses, settings, device, var)
    if options.detail is None:
        carry_out(DecoderTask(*given), options)
    else:
        carry_out(EnlargingTask(*given, sharp=read_sharp(options, tokenizer, device)), options)


def load_drawing_transformer(options: argparse.Namespace, tokenizer: Tokenizer, device: str) -> VAR:
    """Load the transformer of --drawn-by; ValueError unless it draws this data in this tokenizer's tokens."""
    made = checkpoints.load(options.drawn_by, dtype=pick_dtype(options.precision, device), device=device)
    if made.spec.tokenizer.order != SCALES or not same_in_file(made.tokenizer, tokenizer):
        raise ValueError(f"{options.drawn_by} draws tokens of another tokenizer than {options.tokenizer}.")
    drawn, wanted = ([name.casefold() for name in of] for of in (made.spec.class_names, Classes.of(options.data).names))
    if drawn != wanted:  # a file begins names with a capital
        raise ValueError(f"{options.drawn_by} draws other classes than those in {options.data}.")
    return made.var


@jointly
def train_transformer(options: argparse.Namespace) -> None:
    """Train a transformer on the tokens of a trained tokenizer, or go on with one."""
    settings, kept = replace(optimisation(options), muon=options.muon), resumed(options, TransformerTask.KIND)
    tokenizer, classes = load_tokenizer(options.tokenizer), Classes.of(options.data)
    begun = checkpoints.load(options.start) if options.start and not kept else None
    given = config_in(kept, TransformerConfig) if kept else begun.spec.transformer if begun else None
    tokenizer = tokenizer.reordered(given.order if given else options.order or tokenizer.config.order)
    if begun and given and given.order == SCALES:
        given = replace(given, sides=tokenizer.config.sides)
    config = transformer_sizes(options, tokenizer.config, len(classes.names), given)
    if kept:
        same_tokenizer(kept, tokenizer)
    choices = transformer_settings(options, kept)
    choices.check_order(config.order)
    device = pick_device(options.device)
    data = cache(lambda: read_pictures(options, tokenizer.config.image_side))
    start = begun.var if begun else None
    if begun and not same_in_file(begun.tokenizer, tokenizer):
        say(f"The tokens of {options.tokenizer} are another tokenizer's than those that {options.start} has learned.")
        start = translated(begun.var, begun.tokenizer, tokenizer, data().train.spread(TRANSLATED))
    tokens = read_tokens(options, tokenizer.to(device), device, data)
    data.cache_clear()  # training needs no pictures
    torch.manual_seed(options.seed)
    carry_out(TransformerTask(config, tokenizer, tokens, choices, settings, device, start), options)


def transformer_settings(options: argparse.Namespace, kept: Fields | None) -> TransformerSettings:
    """Return the settings of the command line, or of a run to go on with where it keeps them."""
    source: dict[str, Any] = kept or vars(options)
    fractions = (source["class_dropout"], options.most_per_scale, source["self_correction"])
    return TransformerSettings(*fractions, tuple(source["without"]), options.compile, source["own_mistakes"])


def transformer_sizes(
    options: argparse.Namespace, codes: TokenizerConfig, classes: int, given: TransformerConfig | None
) -> TransformerConfig:
    """Return the sizes given, or those on the command line; ValueError unless they fit the tokenizer and the data."""
    if given is None:
        sizes = (options.depth, options.width, options.heads, codes.vocabulary, codes.code_width)
        return TransformerConfig(codes.sides, classes, *sizes, shared_adaln=options.shared_adaln, order=codes.order)
    if (codes.sides, classes) != (given.sides, given.classes):
        raise ValueError(
            f"The transformer has sides {given.sides} and {given.classes} classes, the tokenizer {codes.sides} and "
            f"{options.data} {classes}: they must be equal."
        )
    if (codes.vocabulary, codes.code_width) != (given.vocabulary, given.code_width):
        raise ValueError(
            f"The transformer has {given.vocabulary} codes of {given.code_width} numbers, the tokenizer "
            f"{codes.vocabulary} of {codes.code_width}: they must be equal."
        )
    return given


def model_to_train(
    options: argparse.Namespace, kept: Fields | None, what: str
) -> tuple[checkpoints.LoadedModel, TokenData, str]:
    """Load the model of --model, of which `what` is trained, the tokens of --data, and the device.

    ValueError unless they go together, and with the run that is gone on with.
    """
    options.tokenizer, device = checkpoints.find(options.model), pick_device(options.device)
    loaded = checkpoints.load(options.model)
    loaded.spec.need_scales(what)
    if (count := len(Classes.of(options.data).names)) != loaded.spec.transformer.classes:
        raise ValueError(f"{options.data} has {count} classes, the model {loaded.spec.transformer.classes} classes.")
    if kept:
        same_tokenizer(kept, loaded.tokenizer)
    tokenizer = loaded.tokenizer.to(device)
    tokens = read_tokens(options, tokenizer, device, lambda: read_pictures(options, tokenizer.config.image_side))
    return loaded, tokens, device


@jointly
def train_masked(options: argparse.Namespace) -> None:
    """Train a masked path for a model, or its own further: it draws what is missing, and sees what is known."""
    settings, kept = replace(optimisation(options), muon=options.muon), resumed(options, MaskedTask.KIND)
    loaded, tokens, device = model_to_train(options, kept, "a masked path")
    tokenizer = loaded.tokenizer
    source: dict[str, Any] = kept or vars(options)
    choices = MaskedSettings(**{name: source[name] for name in KEPT}, compiled=options.compile)
    crops = CropTokens(*(read_crops(options, tokenizer, device, split) for split in ("train", "val")))
    torch.manual_seed(options.seed)
    carry_out(MaskedTask(loaded.masked or loaded.var, tokenizer, tokens, crops, choices, settings, device), options)


@jointly
def train_aligned(options: argparse.Namespace) -> None:
    """Train a model's transformer to draw without guidance what it draws with, or go on with that."""
    settings, kept = optimisation(options), resumed(options, AlignedTask.KIND)
    loaded, tokens, device = model_to_train(options, kept, "an alignment")
    source: dict[str, Any] = kept or vars(options)
    choices = AlignedSettings(**{name: source[name] for name in KEPT_OF_ALIGNMENT}, compiled=options.compile)
    torch.manual_seed(options.seed)
    carry_out(AlignedTask(loaded.var, loaded.tokenizer, tokens, choices, settings, device), options)


@jointly
def train_distilled(options: argparse.Namespace) -> None:
    """Train a model's transformer to give at once what guidance makes of two answers, or go on with that."""
    settings, kept = replace(optimisation(options), muon=options.muon), resumed(options, DistilledTask.KIND)
    loaded, tokens, device = model_to_train(options, kept, "a distillation")
    usual = loaded.spec.default_sampling
    given = {name: getattr(options, name) for name in KEPT_OF_DISTILLATION}
    asked = {name: getattr(usual, name) if value is None else value for name, value in given.items()}
    source: dict[str, Any] = kept or asked
    choices = DistilledSettings(**{name: source[name] for name in KEPT_OF_DISTILLATION}, compiled=options.compile)
    torch.manual_seed(options.seed)
    carry_out(DistilledTask(loaded.var, loaded.tokenizer, tokens, choices, settings, device), options)


def add_commands(commands: Commands) -> None:
    """Add them to the program's."""
    text = "Train a tokenizer, its decoder, a transformer, a masked path, or a transformer that needs no guidance."
    train = commands.add_parser("train", help=text)
    networks = train.add_subparsers(required=True)
    _tokenizer_command(networks)
    _decoder_command(networks)
    _transformer_command(networks)
    _masked_command(networks)
    _aligned_command(networks)
    _distilled_command(networks)


def _tokenizer_command(commands: Commands) -> None:
    made = command(commands, "tokenizer", train_tokenizer)
    training_options(made, batch=8, rate=5e-4)
    made.add_argument("--start", type=Path, help=START_HELP)
    text = f"sides of the token maps (default: {','.join(map(str, SIDES))}, or those of --start)"
    made.add_argument("--sides", type=integers, help=text)
    made.add_argument("--order", choices=ORDERS, default=SCALES, help="scales; or, for a single side, of its cells")
    made.add_argument("--vocabulary", type=int, default=4096, help="codes in the codebook")
    made.add_argument("--code-width", type=int, default=16, help="numbers in a code")
    made.add_argument("--channels", type=int, default=64, help="channels at the finest level")
    made.add_argument("--multipliers", type=integers, default=(1, 2), help="channels of each level, fine to coarse")
    made.add_argument("--residual-blocks", type=int, help="blocks in each level (default: 1, or those of --start)")
    made.add_argument("--norm-groups", type=int, default=16, help="groups of the normalisation layers")
    made.add_argument("--stem", type=int, default=4, help="pixel-unshuffle factor before the first convolution")
    text = "each scale has an equal part of the vocabulary to itself, instead of all sharing all"
    made.add_argument("--own-codes", action="store_true", help=text)
    made.add_argument("--perceptual", type=float, default=0.2, help="weight of the perceptual loss")
    device_option(made)


def _decoder_command(commands: Commands) -> None:
    made = command(commands, "decoder", train_decoder)
    training_options(made, batch=8, rate=2e-4)
    made.add_argument("--tokenizer", type=Path, required=True, help=TOKENIZER_HELP)
    made.add_argument("--perceptual", type=float, default=0.5, help="weight of the perceptual loss")
    made.add_argument("--adversarial", type=float, default=0.1, help="weight of the discriminator's loss")
    text = "weight of a second discriminator, of features; the perceptual loss then sees pictures at full size"
    made.add_argument("--feature-adversarial", type=float, default=0.0, help=text)
    made.add_argument("--refine", type=int, default=0, help="channels that smooth the pixel-shuffle's blocks, 0 = none")
    made.add_argument("--refine-blocks", type=int, default=0, help="residual blocks of that network")
    text = "let this model draw the last tokens of half of the pictures, so that the decoder gets used to them"
    made.add_argument("--drawn-by", metavar="MODEL", help=text)
    text = "draw pictures so many times as large as those that are encoded, 0 = as the tokenizer does"
    made.add_argument("--enlarge", type=int, default=0, help=text)
    made.add_argument("--enlarge-channels", type=int, default=0, help="channels of the network that enlarges")
    made.add_argument("--enlarge-blocks", type=int, default=0, help="blocks of that network")
    text = "folder of sharp pictures, at least as large as those to be drawn: train/<source>/ and val/<source>/"
    made.add_argument("--detail", type=Path, metavar="DIR", help=text)
    device_option(made)


def _transformer_command(commands: Commands) -> None:
    made = command(commands, "transformer", train_transformer)
    training_options(made, batch=8, rate=8e-4)
    made.add_argument("--tokenizer", type=Path, required=True, help=TOKENIZER_HELP)
    made.add_argument(
        "--start", metavar="MODEL", help="begin with the weights of this model, and its sizes but for the maps"
    )
    made.add_argument("--order", choices=ORDERS, help="of the cells of a single map (default: the tokenizer's)")
    made.add_argument("--depth", type=int, default=8, help="number of blocks")
    made.add_argument("--width", type=int, default=192, help="model width")
    made.add_argument("--heads", type=int, default=3, help="attention heads")
    made.add_argument("--shared-adaln", action="store_true", help="all blocks share one AdaLN layer, which is smaller")
    text = "fraction of the pictures that are shown without their class, which guidance needs"
    made.add_argument("--class-dropout", type=float, default=0.1, help=text)
    made.add_argument("--most-per-scale", type=int, default=0, help="random tokens a scale and step, 0 = all")
    text = "largest fraction of a picture's tokens that wrong ones replace, which finer scales learn to make up for"
    made.add_argument("--self-correction", type=float, default=0.0, help=text)
    text = "let these be tokens that the network draws there itself, instead of another picture's; takes longer"
    made.add_argument("--own-mistakes", action="store_true", help=text)
    text = f"parts to do without, of {', '.join(PARTS)}"
    made.add_argument("--without", choices=PARTS, nargs="+", default=(), help=text)
    text = "fuse the blocks with torch.compile: faster after the first minute; needs a C++ compiler"
    made.add_argument("--compile", action="store_true", help=text)
    text = "train the matrices of the blocks with Muon instead of AdamW: learns more in a step, which takes longer"
    made.add_argument("--muon", action="store_true", help=text)
    device_option(made)


def _masked_command(commands: Commands) -> None:
    made = command(commands, "masked", train_masked)
    training_options(made, batch=16, rate=5e-4)
    text = "name or path of the model whose masked path it begins with, or whose transformer if it has none"
    made.add_argument("--model", required=True, help=text)
    text = "folders with train/ and val/, of whose pictures random squares are learned from (default: --data)"
    made.add_argument("--crops", type=Path, nargs="+", metavar="DIR", help=text)
    made.add_argument("--per-picture", type=int, default=3, help="random squares of each of these pictures")
    made.add_argument("--cropped", type=float, default=0.5, help="fraction of a batch that are random squares")
    text = "fraction of the whole pictures that are shown without their class"
    made.add_argument("--class-dropout", type=float, default=0.1, help=text)
    text = "largest fraction of a picture's tokens that wrong ones replace, which finer scales learn to make up for"
    made.add_argument("--self-correction", type=float, default=0.3, help=text)
    made.add_argument("--compile", action="store_true", help="fuse the blocks with torch.compile")
    made.add_argument("--muon", action="store_true", help="train the matrices of the blocks with Muon")
    device_option(made)


def _aligned_command(commands: Commands) -> None:
    made = command(commands, "aligned", train_aligned)
    training_options(made, batch=32, rate=2e-5)
    made.add_argument("--model", required=True, help="name or path of the model whose transformer it begins with")
    text = "how near it stays to what it was: less lets it go further"
    made.add_argument("--sharpness", type=float, default=0.02, help=text)
    text = "weight of other classes against the own one: more does more of what guidance does"
    made.add_argument("--contrast", type=float, default=50.0, help=text)
    text = "fraction of the pictures that are shown without their class, which guidance needs"
    made.add_argument("--class-dropout", type=float, default=0.1, help=text)
    made.add_argument("--compile", action="store_true", help="fuse the blocks with torch.compile")
    device_option(made)


def _distilled_command(commands: Commands) -> None:
    made = command(commands, "distilled", train_distilled)
    training_options(made, batch=32, rate=2e-4)
    made.add_argument("--model", required=True, help="name or path of the model whose transformer it begins with")
    text = "guidance that is built in (default: that with which the model draws best)"
    made.add_argument("--guidance", type=float, help=text)
    text = "fraction of it that grows with the scales (default: that with which the model draws best)"
    made.add_argument("--ramp", type=float, help=text)
    text = "fraction of the pictures that are shown without their class, and learned as they were"
    made.add_argument("--class-dropout", type=float, default=0.1, help=text)
    made.add_argument("--compile", action="store_true", help="fuse the blocks with torch.compile")
    made.add_argument("--muon", action="store_true", help="train the matrices of the blocks with Muon")
    device_option(made)
