"""Networks of training runs, and a model file made of them."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from ..config import ModelSpec, Sampling, TokenizerConfig, TransformerConfig
from ..formats import usual_showcase
from ..nn.masked import MaskedVAR
from ..nn.tokenizer import Preview, Tokenizer
from ..nn.transformer import VAR
from ..schema import entry
from ..weights.checkpoints import SUFFIX, load, load_strict, save
from .aligned_task import AlignedTask
from .data import Classes, PictureSet
from .distilled_task import DistilledTask
from .masked_task import MaskedTask
from .tokenizer_task import TokenizerTask, same_in_file, same_tokenizer
from .trainer import config_in, load_state
from .transformer_task import TransformerTask

Network = TypeVar("Network", bound=VAR)


def load_tokenizer(source: Path) -> Tokenizer:
    """Load the averaged weights of a tokenizer's or decoder's run, or those of a model file; else ValueError."""
    if source.suffix == SUFFIX:
        return load(str(source)).tokenizer
    state = load_state(source, TokenizerTask.KIND, "decoder")
    tokenizer = Tokenizer(config_in(entry(state, "extra", dict), TokenizerConfig))
    load_strict(tokenizer, entry(state, "ema", dict))
    return tokenizer.eval()


def load_transformer(run: Path, tokenizer: Tokenizer) -> VAR:
    """Load the averaged weights of a run of a transformer of any kind; ValueError if it learned other tokens."""
    return _load_run(run, tokenizer, VAR, TransformerTask.KIND, AlignedTask.KIND, DistilledTask.KIND)


def load_masked(source: Path, tokenizer: Tokenizer) -> MaskedVAR:
    """Load the averaged weights of a masked path's run, or the masked path of a model file.

    ValueError if it learned another tokenizer's tokens, or the file has none.
    """
    if source.suffix != SUFFIX:
        return _load_run(source, tokenizer, MaskedVAR, MaskedTask.KIND)
    made = load(str(source))
    if made.masked is None:
        raise ValueError(f"{source} has no masked path: name a model that has one, or the run of one.")
    if not same_in_file(made.tokenizer, tokenizer):
        raise ValueError(f"The masked path in {source} draws another tokenizer's tokens.")
    return made.masked


def _load_run(run: Path, tokenizer: Tokenizer, network: type[Network], *kinds: str) -> Network:
    state = load_state(run, *kinds)
    extra = entry(state, "extra", dict)
    same_tokenizer(extra, tokenizer)
    loaded = network(config_in(extra, TransformerConfig))
    load_strict(loaded, entry(state, "ema", dict))
    return loaded.eval()


def add_masked(model: str, run: Path, out: Path) -> None:
    """Write a model's file again with the masked path of a training run, or of another model's file.

    The model's digest stays as it is, since a masked path draws edits alone, whose recipes name it by a digest of its
    own. ValueError if it is one for another model.
    """
    loaded = load(model)
    masked = load_masked(run, loaded.tokenizer)
    if masked.config != loaded.spec.transformer:
        raise ValueError(f"The masked path in {run} is of a model of other sizes than {model}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    save(out, loaded.spec, loaded.tokenizer, loaded.preview, loaded.var, masked, loaded.digest)


def replace_decoder(model: str, run: Path, pictures: PictureSet, out: Path, weight: float = 1.0) -> None:
    """Write a model's file again with the decoder of a training run, and a preview fitted to some pictures.

    Every token means what it did: the encoder, the codes and the transformers stay. With a `weight` below 1 it
    is a mix, that part of the run's and for the rest the model's own, which calms a decoder that the run has sharpened
    (Wortsman et al. 2022). ValueError if the run began with another tokenizer, or has other sizes to be mixed with.
    """
    loaded = load(model)
    tokenizer = load_tokenizer(run).reordered(loaded.spec.transformer.order)
    if not same_in_file(loaded.tokenizer, tokenizer):
        raise ValueError(f"{run} has trained the decoder of another tokenizer than that of {model}.")
    if not 0 < weight <= 1 or (weight < 1 and tokenizer.config != loaded.spec.tokenizer):
        raise ValueError(f"weight {weight}: choose more than 0, and below 1 only if both decoders have the same sizes.")
    if weight < 1:
        theirs, ours = tokenizer.state_dict(), loaded.tokenizer.state_dict()
        tokenizer.load_state_dict({name: torch.lerp(ours[name].float(), theirs[name], weight) for name in theirs})
    spec = replace(loaded.spec, tokenizer=tokenizer.config)
    out.parent.mkdir(parents=True, exist_ok=True)
    save(out, spec, tokenizer, fitted_preview(tokenizer, pictures), loaded.var, loaded.masked)


@torch.inference_mode()
def fitted_preview(tokenizer: Tokenizer, pictures: PictureSet, count: int = 512) -> Preview:
    """Return the linear preview map, fitted to partial and whole reconstructions of `count` pictures."""
    rows = torch.linspace(0, len(pictures) - 1, min(count, len(pictures))).long()
    features, images = [], []
    for part in rows.split(32):
        batch = pictures.images(part)
        for found in list(tokenizer.quantizer.quantize(tokenizer.features(batch)))[-3:]:
            features.append(found.f_hat)
            images.append(tokenizer.decode(found.f_hat))
    preview = Preview(tokenizer.config)
    preview.fit(torch.cat(features), torch.cat(images))
    return preview


def spec_of(
    name: str, tokenizer: Tokenizer, var: VAR, classes: Classes, default_sampling: Sampling, showcase: str | None = None
) -> ModelSpec:
    """Describe a model of these networks and classes, and say how it draws best.

    `showcase` is the name or number of the class to show first, None the usual one; ValueError if there is none such.
    """
    names = tuple(word[:1].upper() + word[1:] for word in classes.names)
    sizes = tokenizer.reordered(var.config.order).config, var.config
    spec = ModelSpec(name, *sizes, names, classes.groups, default_sampling=default_sampling)
    chosen = usual_showcase(names) if showcase is None else spec.class_name(spec.label(showcase))
    return replace(spec, showcase=chosen)


def export(out: Path, spec: ModelSpec, tokenizer: Tokenizer, var: VAR, train: PictureSet) -> None:
    """Write a model file of what `spec_of` says; tokens come in the transformer's order."""
    tokenizer = tokenizer.reordered(var.config.order)
    out.parent.mkdir(parents=True, exist_ok=True)
    save(out, spec, tokenizer, fitted_preview(tokenizer, train), var)
