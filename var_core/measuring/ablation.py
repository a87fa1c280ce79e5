"""Worth of each optimisation, on random weights of a published size: plain first, then one after another.

Every variant gives the same tokens; `Variant.differing` counts those that do not.
"""

import json
import multiprocessing
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import torch
from safetensors import safe_open
from torch import Tensor

from ..clock import timed
from ..config import ON_CPU, LoadOptions, ModelSpec, Sampling
from ..engine.pipeline import Pipeline
from ..engine.plan import Plan
from ..engine.request import Request
from ..engine.sampling import guide, sample_tokens, steps, uniforms
from ..nn.cache import KVCache
from ..nn.layers import Block, compile_block
from ..nn.linear import Linear, pack
from ..nn.tokenizer import Preview, Tokenizer
from ..nn.transformer import VAR, randomise
from ..schedule import Schedule
from ..tables import markdown
from ..weights.checkpoints import HALVED, PARTS, LoadedModel, load_strict, read_spec
from ..weights.convert import write_safetensors
from .bench import peak_bytes


@dataclass(frozen=True)
class Optimisations:
    """Says which optimisations a variant has; none is the published algorithm written down straight."""

    one_branch: bool = False  # guidance has nothing to mix without a class
    adaln_once: bool = False  # modulations depend on the class alone, not on the scale
    kept_cache: bool = False  # keys and values are written in place instead of joined
    drawn_only: bool = False  # head, filters and draw only where a token is drawn, the head once for both branches
    channels_last: bool = False  # of the decoder
    packed: bool = False  # linear layers laid out for oneDNN
    halved: bool = False  # products of the blocks in float16, as the authors sample: other tokens
    compiled: bool = False  # blocks fused by torch.compile

    @property
    def of_networks(self) -> tuple[bool, ...]:
        """Return the optimisations that change the networks: variants with the same of them share networks."""
        return self.channels_last, self.packed, self.halved, self.compiled


ANYWHERE = {
    "plain": Optimisations(),
    "+ one branch where both are equal": Optimisations(True),
    "+ AdaLN once": Optimisations(True, True),
    "+ cache written in place": Optimisations(True, True, True),
    "+ head and draw only where needed": Optimisations(True, True, True, True),
    "+ decoder with channels last": Optimisations(True, True, True, True, True),
}
ALL_EXACT = Optimisations(True, True, True, True, True)
VARIANTS = {**ANYWHERE, "+ packed products": replace(ALL_EXACT, packed=True)}
ON_GPU = {
    **ANYWHERE,
    "+ products in float16": replace(ALL_EXACT, halved=True),
    "+ torch.compile": replace(ALL_EXACT, halved=True, compiled=True),
}
COMPILED = {"+ torch.compile, not packed": replace(ALL_EXACT, compiled=True)}
PICTURE = "picture"  # of a class
EDIT = "edit"  # half of the picture given, no class
TASKS = (PICTURE, EDIT)


class Joined:
    """The plain cache: keys and values of every scale are joined to those before."""

    def __init__(self) -> None:
        self.parts: dict[int, tuple[Tensor, Tensor]] = {}

    def extend(self, block: int, start: int, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Join the keys and values of a step to those before, and return all, as `KVCache.extend` does."""
        before = self.parts.get(block)
        self.parts[block] = (k, v) if before is None else (torch.cat((before[0], k), 2), torch.cat((before[1], v), 2))
        return self.parts[block]


@dataclass(frozen=True)
class Networks:
    """Random networks of one size, as one variant uses them."""

    spec: ModelSpec
    var: VAR
    tokenizer: Tokenizer

    @property
    def schedule(self) -> Schedule:
        return Schedule.of(self.spec.tokenizer)

    @property
    def device(self) -> torch.device:
        return self.var.position_embedding.device


def random_networks(spec: ModelSpec, seed: int = 0) -> Networks:
    """Return networks of a size; their logits are far enough from uniform that guidance and filters matter."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        var, tokenizer = randomise(VAR(spec.transformer)), Tokenizer(spec.tokenizer)
        torch.nn.init.normal_(var.head.weight, std=0.05)
        for embedding in (var.class_embedding, var.level_embedding):
            torch.nn.init.normal_(embedding.weight)
    return Networks(spec, var.eval(), tokenizer.eval())


def random_pipeline(spec: ModelSpec, dtype: str) -> Pipeline:
    """Return a pipeline with random weights of a size, on the CPU."""
    networks = random_networks(spec)
    loaded = LoadedModel(spec, networks.tokenizer, Preview(spec.tokenizer), networks.var, "random")
    return Pipeline(loaded, LoadOptions("cpu", dtype))


def switched(networks: Networks, optimisations: Optimisations) -> Networks:
    """Change networks to what a variant uses, in place, so that going back is not possible; return them."""
    if optimisations.halved:
        halve(networks.var)
    if optimisations.packed:
        pack(networks.var)
    if optimisations.compiled:
        for block in networks.var.blocks:
            compile_block(cast(Block, block))
    kind = torch.channels_last if optimisations.channels_last else torch.contiguous_format
    networks.tokenizer.to(memory_format=kind)  # type: ignore[call-overload]
    return networks


def halve(var: VAR) -> None:
    """Make linear layers of the blocks float16, as `checkpoints.load` has them on a GPU."""
    for name, layer in var.named_modules():
        if isinstance(layer, Linear) and HALVED.match(f"transformer.{name}.weight"):
            layer.half()


def plain_filter(logits: Tensor, top_k: int, top_p: float) -> Tensor:
    """Filter as `sampling.filter_logits` does, by full sorting."""
    smallest = logits.topk(min(top_k, logits.shape[-1])).values[..., -1:]
    kept = logits.masked_fill(logits < smallest, -torch.inf)
    ordered, indices = kept.sort(-1, descending=True)
    probabilities = ordered.softmax(-1)
    outside = probabilities.cumsum(-1) - probabilities >= top_p
    return ordered.masked_fill(outside, -torch.inf).gather(-1, indices.argsort(-1))


@torch.inference_mode()
def plain_steps(
    networks: Networks,
    labels: Tensor,
    seeds: tuple[int, ...],
    sampling: Sampling,
    plan: Plan,
    only: Optimisations,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Draw with only some of the optimisations: yields tokens (B, L_k) and f_hat (B, C, s_K, s_K) after every scale."""
    var, quantizer, schedule = networks.var, networks.tokenizer.quantizer, networks.schedule
    nothing = torch.full_like(labels, var.config.null_label)
    both = labels if only.one_branch and torch.equal(labels, nothing) else torch.cat((labels, nothing))
    condition, f_hat = var.condition(both), quantizer.empty(len(labels))
    cache = var.new_cache(len(both), KVCache) if only.kept_cache else cast(KVCache, Joined())
    for scale, length in enumerate(schedule.lengths):
        if scale and not only.adaln_once:
            condition = var.condition(both)
        shown = quantizer.next_input(f_hat, scale).repeat(len(both) // len(labels), 1, 1)
        logits = var.logits(var.step(condition, shown, scale, cache))
        if len(both) > len(labels):
            with_class, without = logits.chunk(2)
            logits = guide(with_class, without, sampling.strength(scale, schedule))
        filtered = plain_filter(logits / sampling.heat(scale, schedule), sampling.top_k, sampling.top_p)
        drawn = sample_tokens(filtered.softmax(-1), uniforms(seeds, scale, length).to(filtered.device))
        tokens = torch.where(plan.keep[scale], plan.tokens[scale], drawn)
        f_hat = quantizer.add(f_hat, quantizer.codes(tokens), scale)
        yield tokens, f_hat


def variant_steps(
    networks: Networks, task: str, optimisations: Optimisations, sampling: Sampling, batch: int = 1
) -> Iterator[tuple[Tensor, Tensor]]:
    """Draw as a variant does, for a task: the last variants run the engine's own loop."""
    labels, plan = asked(networks, task, batch)
    seeds = tuple(range(batch))
    if not optimisations.drawn_only:
        plan = plan.to(networks.device)
        yield from plain_steps(networks, labels.to(networks.device), seeds, sampling, plan, optimisations)
        return
    request = Request(tuple(labels.tolist()), seeds, sampling, plan)
    for step in steps(networks.var, networks.tokenizer.quantizer, request):
        yield step.tokens, step.f_hat


def asked(networks: Networks, task: str, batch: int = 1) -> tuple[Tensor, Plan]:
    """Return labels (B,) and plan of a task, on the CPU."""
    schedule, config = networks.schedule, networks.spec.transformer
    if task == PICTURE:
        return torch.arange(batch) % config.classes, Plan.free(schedule, batch)
    rng = torch.Generator().manual_seed(0)
    tokens = [torch.randint(config.vocabulary, (batch, length), generator=rng) for length in schedule.lengths]
    coverage = torch.zeros(networks.spec.tokenizer.image_side, networks.spec.tokenizer.image_side)
    coverage[:, : coverage.shape[1] // 2] = 1
    plan = Plan.inpaint(tokens, coverage, schedule, min_coverage=0.6, first_free_scale=2)
    return torch.full((batch,), config.null_label), plan


@dataclass(frozen=True)
class Clocked:
    """One task on one variant, once."""

    tokens: Tensor  # (B, L)
    seconds: tuple[float, ...]  # of every scale, then of the decoder


@torch.inference_mode()
def clocked(networks: Networks, task: str, optimisations: Optimisations, sampling: Sampling, batch: int = 1) -> Clocked:
    """Do a task for so many pictures, with the time of every scale."""
    running, found, seconds = variant_steps(networks, task, optimisations, sampling, batch), [], []
    for _ in networks.schedule.lengths:
        seconds.append(timed(lambda: found.append(next(running)), networks.device))
    seconds.append(timed(lambda: [networks.tokenizer.decode(one[None]) for one in found[-1][1]], networks.device))
    return Clocked(torch.cat([tokens for tokens, _ in found], 1).cpu(), tuple(seconds))


@dataclass(frozen=True)
class Variant:
    """A variant, measured: median seconds of every scale and the decoder for each task."""

    name: str
    seconds: dict[str, tuple[float, ...]]
    differing: dict[str, int]  # tokens that are not those of the plain variant


def run_ablation(
    spec: ModelSpec,
    repeats: int,
    sampling: Sampling,
    choices: dict[str, Optimisations] = VARIANTS,
    device: str = "cpu",
    batch: int = 1,
) -> list[Variant]:
    """Measure all variants on a device in turns, so that a noisy machine is noisy for all; times are of a batch."""
    versions: dict[tuple[bool, ...], Networks] = {}
    for optimisations in choices.values():
        if optimisations.of_networks not in versions:
            networks = random_networks(spec)
            moved = replace(networks, var=networks.var.to(device), tokenizer=networks.tokenizer.to(device))
            versions[optimisations.of_networks] = switched(moved, optimisations)
    times: dict[tuple[str, str], list[Clocked]] = {(name, task): [] for name in choices for task in TASKS}
    for _ in range(repeats + 1):  # the first round warms up
        for (name, task), done in times.items():
            optimisations = choices[name]
            done.append(clocked(versions[optimisations.of_networks], task, optimisations, sampling, batch))
    plain = {task: times["plain", task][0].tokens for task in TASKS}
    variants = []
    for name in choices:
        medians = {task: _medians(times[name, task][1:]) for task in TASKS}
        differing = {task: int((times[name, task][0].tokens != plain[task]).sum()) for task in TASKS}
        variants.append(Variant(name, medians, differing))
    return variants


def _medians(done: list[Clocked]) -> tuple[float, ...]:
    return tuple(statistics.median(column) for column in zip(*(one.seconds for one in done), strict=True))


def peaks(spec: ModelSpec, sampling: Sampling) -> dict[str, int]:
    """Return the bytes that a process held at most which read the weights from a file and made one picture.

    First plainly, all weights read into memory; then as the engine does it.
    """
    context, found = multiprocessing.get_context("spawn"), {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.safetensors"
        _write(random_networks(spec), path)
        for name, work in (("plain", _plainly), ("engine", _by_engine)):
            ours, theirs = context.Pipe()
            child = context.Process(target=_peak, args=(theirs, work, path, sampling))
            child.start()
            found[name] = ours.recv()
            child.join()
    return found


def _write(networks: Networks, path: Path) -> None:
    """Write the networks as a model file in float32."""
    parts = zip(PARTS, (networks.tokenizer, Preview(networks.spec.tokenizer), networks.var), strict=True)
    tensors = {f"{part}{key}": value for part, network in parts for key, value in network.state_dict().items()}
    for _ in write_safetensors(path, tensors, {"spec": json.dumps(networks.spec.to_dict())}):
        pass


def _plainly(path: Path, sampling: Sampling) -> None:
    spec = read_spec(path)
    with torch.device("meta"):
        var, tokenizer = VAR(spec.transformer), Tokenizer(spec.tokenizer)
    for part, network in (("tokenizer.", tokenizer), ("transformer.", var)):
        load_strict(network, {name: _copied(path, part + name) for name in network.state_dict()})
    clocked(Networks(spec, var.eval(), tokenizer.eval()), PICTURE, VARIANTS["plain"], sampling)


def _copied(path: Path, name: str) -> Tensor:
    """Read a tensor of a file into memory: nothing of the file stays mapped beside it."""
    with safe_open(path, "pt") as file:
        return file.get_tensor(name).clone()


def _by_engine(path: Path, sampling: Sampling) -> None:
    Pipeline.load(str(path), ON_CPU).run(Request((0,), (0,), sampling))


def _peak(told: Connection, work: Callable[[Path, Sampling], None], path: Path, sampling: Sampling) -> None:
    work(path, sampling)
    told.send(peak_bytes())


def throughput(variants: list[Variant], batch: int) -> str:
    """Say how many pictures a second are made, plain and with all optimisations."""
    plain, best = (batch / sum(variant.seconds[PICTURE]) for variant in (variants[0], variants[-1]))
    return f"{plain:.2f} a second plain, {best:.2f} with {variants[-1].name.removeprefix('+ ')}"


def report(variants: list[Variant], schedule: Schedule) -> str:
    """Return the tables as Markdown: whole tasks, then every scale of a picture; times in ms, speed-ups over plain."""
    plain, wholes = variants[0], []
    for variant in variants:
        pairs = [(sum(variant.seconds[task]), sum(plain.seconds[task])) for task in TASKS]
        pairs.append((variant.seconds[PICTURE][-1], plain.seconds[PICTURE][-1]))
        cells = [cell for ours, theirs in pairs for cell in (f"{1e3 * ours:.0f}", f"{theirs / ours:.2f}")]
        wholes.append([variant.name, *cells, sum(variant.differing.values())])
    scales = [[variant.name, *(f"{1e3 * value:.0f}" for value in variant.seconds[PICTURE])] for variant in variants]
    titles = ("picture, ms", "edit without class, ms", "decoder, ms")
    heads = ["", *(head for title in titles for head in (title, "speed-up")), "other tokens"]
    lengths = ["ms of a scale of so many tokens", *schedule.lengths, "decoder"]
    return f"{markdown(heads, wholes)}\n\n{markdown(lengths, scales)}"
