"""Commands about what was trained: its curves, its model file, its atlas."""

import argparse
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from ..config import LoadOptions, Sampling
from ..engine.pipeline import Pipeline
from ..inspection.atlas import atlas_path, build_atlas
from ..training.data import Classes
from ..training.export import add_masked, export, load_tokenizer, load_transformer, replace_decoder, spec_of
from ..weights import checkpoints
from ..words import counted
from .shared import (
    MODEL_OUT_HELP,
    TOKENIZER_HELP,
    Commands,
    command,
    data_options,
    device_option,
    model_file,
    model_option,
    read_pictures,
    read_split,
    refuse_taken,
    sampling_of,
    sampling_options,
    say,
)


def plot_curves(options: argparse.Namespace) -> None:
    """Draw the curves of a training run."""
    from ..training.curves import plot  # here, not above: matplotlib would hold up every command

    say(str(plot(options.run_folder)))


def export_model(options: argparse.Namespace) -> None:
    """Pack both trained networks, averaged weights, into one model file for the app."""
    out = model_file(options.out, options.name)
    tokenizer, default_sampling = load_tokenizer(options.tokenizer), sampling_of(options, Sampling())
    var = load_transformer(options.transformer, tokenizer)
    spec = spec_of(options.name, tokenizer, var, Classes.of(options.data), default_sampling, options.showcase)
    export(out, spec, tokenizer, var, read_pictures(options, tokenizer.config.image_side).train)
    say(f"{out} ({out.stat().st_size / 2**20:.1f} MiB)")


def add_masked_path(options: argparse.Namespace) -> None:
    """Write a model's file again with a masked path, with which edits see what is around a hole."""
    out = rewritten(options)
    add_masked(options.model, options.masked, out)
    say(f"{out} ({out.stat().st_size / 2**20:.1f} MiB)")


def replace_a_decoder(options: argparse.Namespace) -> None:
    """Write a model's file again with a decoder that was trained for its tokens; all else stays."""
    out = rewritten(options)
    side = checkpoints.read_spec(checkpoints.find(options.model)).tokenizer.image_side
    replace_decoder(options.model, options.decoder, read_pictures(options, side).train, out, options.weight)
    say(f"{out} ({out.stat().st_size / 2**20:.1f} MiB)")


def rewritten(options: argparse.Namespace) -> Path:
    """Return where to write a model with a part exchanged: as --out says, or else over its own file.

    ValueError if a file is there that --replace does not give up, or if it is one of an installed package.
    """
    own = checkpoints.find(options.model)
    out = model_file(options.out, own.stem) if options.out else own
    checkpoints.refuse_shipped(out)
    refuse_taken(out, options.replace)
    return out


def make_atlas(options: argparse.Namespace) -> None:
    """Collect patches of what each code of a model adds to the val pictures of --data, in a file beside the model's."""
    out = atlas_path(checkpoints.find(options.model))
    checkpoints.refuse_shipped(out)
    refuse_taken(out, options.replace)
    pipe = Pipeline.load(options.model, LoadOptions(options.device))
    val = read_split(options.data, "val", Classes.of(options.data), pipe.spec.tokenizer.image_side)
    pictures = (Image.fromarray(pixels) for pixels in val.pixels.numpy())
    found = build_atlas(pipe, tqdm(pictures, total=len(val), unit="picture", disable=None))
    found.save(out)
    used = int((found.uses > 0).sum())
    seen = f"{used} of {len(found.uses)} codes in {counted(len(val), 'picture')}"
    say(f"{out} ({out.stat().st_size / 2**20:.1f} MiB): {seen}")


def rewriting_options(made: argparse.ArgumentParser) -> None:
    """Add what says where a model with a part exchanged is written: see `rewritten`."""
    text = "folder, or a file that ends in .safetensors (default: over the model's own file, with --replace)"
    made.add_argument("--out", type=Path, help=text)
    made.add_argument("--replace", action="store_true", help="replace a file that is there already")


def add_commands(commands: Commands) -> None:
    """Add them to the program's."""
    curves = command(commands, "plot", plot_curves)
    curves.add_argument("run_folder", type=Path, help="folder of a training run")
    pack = command(commands, "export", export_model)
    data_options(pack, required=True, text="the data folder that both were trained on")
    pack.add_argument("--tokenizer", type=Path, required=True, help=TOKENIZER_HELP)
    pack.add_argument("--transformer", type=Path, required=True, help="folder of the transformer's training run")
    pack.add_argument("--name", required=True, help="name of the model, and of its file")
    pack.add_argument("--out", type=Path, help=MODEL_OUT_HELP)
    text = "name or number of the class that the app shows first (default: Sunflower or macaw, or else the first one)"
    pack.add_argument("--showcase", metavar="CLASS", help=text)
    sampling_options(pack, "how the model draws best, which its file will say")
    added = command(commands, "add-masked", add_masked_path)
    model_option(added, required=True)
    added.add_argument(
        "--masked",
        type=Path,
        required=True,
        help="folder of a run of `train masked`, or the .safetensors file of a model with one",
    )
    rewriting_options(added)
    changed = command(commands, "replace-decoder", replace_a_decoder)
    data_options(changed, required=True, text="the data folder that the decoder was trained on")
    model_option(changed, required=True)
    changed.add_argument(
        "--decoder", type=Path, required=True, help="folder of a run of `train decoder` for that model"
    )
    text = "its weight in a mix with the model's own decoder; below 1 both must have the same sizes"
    changed.add_argument("--weight", type=float, default=1.0, help=text)
    rewriting_options(changed)
    shown = command(commands, "atlas", make_atlas)
    model_option(shown, required=True)
    data_options(shown, required=True)
    shown.add_argument("--replace", action="store_true", help="replace an atlas that is there already")
    device_option(shown)
