"""What each gain in speed is worth, on random weights of a published size: plain first, then one gain after another.

Every rung gives the same tokens; `check` says where one does not.
"""

import json
import multiprocessing
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from ..clock import timed
from ..config import ON_CPU, LoadOptions, ModelSpec
from ..engine.pipeline import Pipeline, Request
from ..engine.plan import Plan
from ..engine.sampling import Sampling, guide, sample, steps, uniforms
from ..nn.cache import KVCache
from ..nn.layers import compile_block
from ..nn.linear import Linear, pack
from ..nn.tokenizer import Preview, Tokenizer
from ..nn.transformer import VAR, randomise
from ..schedule import Schedule
from ..weights.checkpoints import HALVED, PARTS, LoadedModel, load_strict, read_spec
from ..weights.convert import write
from .bench import peak_bytes


@dataclass(frozen=True)
class Gains:
    """Which gains a rung has; none is the published algorithm written down straight."""

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
        """Those that change the networks: rungs that have the same of them share networks."""
        return self.channels_last, self.packed, self.halved, self.compiled


ANYWHERE = {
    "plain": Gains(),
    "+ one branch where both are equal": Gains(True),
    "+ AdaLN once": Gains(True, True),
    "+ cache written in place": Gains(True, True, True),
    "+ head and draw only where needed": Gains(True, True, True, True),
    "+ decoder with channels last": Gains(True, True, True, True, True),
}
ALL_EXACT = Gains(True, True, True, True, True)
RUNGS = {**ANYWHERE, "+ packed products": replace(ALL_EXACT, packed=True)}
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

    def __init__(self):
        self.parts: dict[int, tuple[Tensor, Tensor]] = {}

    def extend(self, block: int, start: int, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """As `KVCache.extend`."""
        before = self.parts.get(block)
        self.parts[block] = (k, v) if before is None else (torch.cat((before[0], k), 2), torch.cat((before[1], v), 2))
        return self.parts[block]


@dataclass(frozen=True)
class Networks:
    """Random networks of one size, as one rung uses them."""

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
    """Networks of a size; their logits are far enough from uniform that guidance and filters matter."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        var, tokenizer = randomise(VAR(spec.transformer)), Tokenizer(spec.tokenizer)
        torch.nn.init.normal_(var.head.weight, std=0.05)
        for embedding in (var.class_embedding, var.level_embedding):
            torch.nn.init.normal_(embedding.weight)
    return Networks(spec, var.eval(), tokenizer.eval())


def random_pipeline(spec: ModelSpec, dtype: str) -> Pipeline:
    """A pipeline with random weights of a size, on the CPU."""
    networks = random_networks(spec)
    loaded = LoadedModel(spec, networks.tokenizer, Preview(spec.tokenizer), networks.var, "random")
    return Pipeline(loaded, LoadOptions("cpu", dtype))


def fitted(networks: Networks, gains: Gains) -> Networks:
    """The same networks as a rung uses them: in place, so that going back is not possible."""
    if gains.halved:
        halve(networks.var)
    if gains.packed:
        pack(networks.var)
    if gains.compiled:
        for block in networks.var.blocks:
            compile_block(block)
    kind = torch.channels_last if gains.channels_last else torch.contiguous_format
    return replace(networks, tokenizer=networks.tokenizer.to(memory_format=kind))


def halve(var: VAR) -> None:
    """Linear layers of the blocks in float16, as `checkpoints.load` has them on a GPU."""
    for name, layer in var.named_modules():
        if isinstance(layer, Linear) and HALVED.match(f"transformer.{name}.weight"):
            layer.half()


def plain_filter(logits: Tensor, top_k: int, top_p: float) -> Tensor:
    """As `sampling.filter_logits`, by full sorting."""
    smallest = logits.topk(min(top_k, logits.shape[-1])).values[..., -1:]
    kept = logits.masked_fill(logits < smallest, -torch.inf)
    ordered, places = kept.sort(-1, descending=True)
    shares = ordered.softmax(-1)
    outside = shares.cumsum(-1) - shares >= top_p
    return ordered.masked_fill(outside, -torch.inf).gather(-1, places.argsort(-1))


@torch.inference_mode()
def plain_steps(
    networks: Networks, labels: Tensor, seeds: tuple[int, ...], sampling: Sampling, plan: Plan, gains: Gains
) -> Iterator[tuple[Tensor, Tensor]]:
    """The loop with only some of the gains: tokens (B, L_k) and f_hat (B, C, s_K, s_K) after every scale."""
    var, quantizer, schedule = networks.var, networks.tokenizer.quantizer, networks.schedule
    nothing = torch.full_like(labels, var.config.null_label)
    both = labels if gains.one_branch and torch.equal(labels, nothing) else torch.cat((labels, nothing))
    condition, f_hat = var.condition(both), quantizer.empty(len(labels))
    cache = var.new_cache(len(both), KVCache) if gains.kept_cache else Joined()
    for scale, length in enumerate(schedule.lengths):
        if scale and not gains.adaln_once:
            condition = var.condition(both)
        shown = quantizer.next_input(f_hat, scale).repeat(len(both) // len(labels), 1, 1)
        logits = var.logits(var.step(condition, shown, scale, cache))
        if len(both) > len(labels):
            logits = guide(*logits.chunk(2), sampling.strength(scale, schedule))
        shares = plain_filter(logits / sampling.heat(scale, schedule), sampling.top_k, sampling.top_p).softmax(-1)
        drawn = sample(shares, uniforms(seeds, scale, length).to(shares.device))
        tokens = torch.where(plan.keep[scale], plan.tokens[scale], drawn)
        f_hat = quantizer.add(f_hat, quantizer.codes(tokens), scale)
        yield tokens, f_hat


def rung_steps(
    networks: Networks, task: str, gains: Gains, sampling: Sampling, batch: int = 1
) -> Iterator[tuple[Tensor, Tensor]]:
    """The loop of a rung for a task: the last rungs run the engine's own."""
    labels, plan = asked(networks, task, batch)
    seeds = tuple(range(batch))
    if not gains.drawn_only:
        plan = plan.to(networks.device)
        yield from plain_steps(networks, labels.to(networks.device), seeds, sampling, plan, gains)
        return
    request = Request(tuple(labels.tolist()), seeds, sampling, plan)
    for step in steps(networks.var, networks.tokenizer.quantizer, request):
        yield step.tokens, step.f_hat


def asked(networks: Networks, task: str, batch: int = 1) -> tuple[Tensor, Plan]:
    """Labels (B,) and plan of a task, on the CPU."""
    schedule, config = networks.schedule, networks.spec.transformer
    if task == PICTURE:
        return torch.arange(batch) % config.classes, Plan.free(schedule, batch)
    chance = torch.Generator().manual_seed(0)
    tokens = [torch.randint(config.vocabulary, (batch, length), generator=chance) for length in schedule.lengths]
    cover = torch.zeros(networks.spec.tokenizer.image_side, networks.spec.tokenizer.image_side)
    cover[:, : cover.shape[1] // 2] = 1
    plan = Plan.inpaint(tokens, cover, schedule, min_coverage=0.6, first_free_scale=2)
    return torch.full((batch,), config.null_label), plan


@dataclass(frozen=True)
class Clocked:
    """One task on one rung, once."""

    tokens: Tensor  # (B, L)
    seconds: tuple[float, ...]  # of every scale, then of the decoder


@torch.inference_mode()
def clocked(networks: Networks, task: str, gains: Gains, sampling: Sampling, batch: int = 1) -> Clocked:
    """Do a task for so many pictures, with the time of every scale."""
    running, found, seconds = rung_steps(networks, task, gains, sampling, batch), [], []
    for _ in networks.schedule.lengths:
        seconds.append(timed(lambda: found.append(next(running)), networks.device))
    seconds.append(timed(lambda: [networks.tokenizer.decode(one[None]) for one in found[-1][1]], networks.device))
    return Clocked(torch.cat([tokens for tokens, _ in found], 1).cpu(), tuple(seconds))


@dataclass(frozen=True)
class Rung:
    """What was measured of a rung: seconds of every scale and the decoder for each task (medians)."""

    name: str
    seconds: dict[str, tuple[float, ...]]
    differing: dict[str, int]  # tokens that are not those of the plain rung


def climb(
    spec: ModelSpec,
    repeats: int,
    sampling: Sampling,
    ways: dict[str, Gains] = RUNGS,
    device: str = "cpu",
    batch: int = 1,
) -> list[Rung]:
    """All rungs on a device, in turns, so that a noisy machine is noisy for all; times are of a whole batch."""
    versions = {}
    for gains in ways.values():
        if gains.of_networks not in versions:
            networks = random_networks(spec)
            moved = replace(networks, var=networks.var.to(device), tokenizer=networks.tokenizer.to(device))
            versions[gains.of_networks] = fitted(moved, gains)
    times = {(name, task): [] for name in ways for task in TASKS}
    for _ in range(repeats + 1):  # the first round warms up
        for (name, task), done in times.items():
            gains = ways[name]
            done.append(clocked(versions[gains.of_networks], task, gains, sampling, batch))
    plain = {task: times["plain", task][0].tokens for task in TASKS}
    rungs = []
    for name in ways:
        medians = {task: _medians(times[name, task][1:]) for task in TASKS}
        differing = {task: int((times[name, task][0].tokens != plain[task]).sum()) for task in TASKS}
        rungs.append(Rung(name, medians, differing))
    return rungs


def _medians(done: list[Clocked]) -> tuple[float, ...]:
    return tuple(statistics.median(column) for column in zip(*(one.seconds for one in done), strict=True))


def peaks(spec: ModelSpec, sampling: Sampling) -> dict[str, int]:
    """Bytes that a process held at most which read the weights from a file and made one picture.

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
    """The networks as a model file in float32."""
    parts = zip(PARTS, (networks.tokenizer, Preview(networks.spec.tokenizer), networks.var), strict=True)
    tensors = {f"{part}{key}": value for part, network in parts for key, value in network.state_dict().items()}
    for _ in write(path, tensors, {"spec": json.dumps(networks.spec.to_dict())}):
        pass


def _plainly(path: Path, sampling: Sampling) -> None:
    spec = read_spec(path)
    with torch.device("meta"):
        var, tokenizer = VAR(spec.transformer), Tokenizer(spec.tokenizer)
    for part, network in (("tokenizer.", tokenizer), ("transformer.", var)):
        load_strict(network, {name: _copied(path, part + name) for name in network.state_dict()})
    clocked(Networks(spec, var.eval(), tokenizer.eval()), PICTURE, RUNGS["plain"], sampling)


def _copied(path: Path, name: str) -> Tensor:
    """A tensor of a file, read into memory: nothing of the file stays mapped beside it."""
    with safe_open(path, "pt") as file:
        return file.get_tensor(name).clone()


def _by_engine(path: Path, sampling: Sampling) -> None:
    Pipeline.load(str(path), ON_CPU).run(Request((0,), (0,), sampling))


def _peak(told: Connection, work: Callable[[Path, Sampling], None], path: Path, sampling: Sampling) -> None:
    work(path, sampling)
    told.send(peak_bytes())


def throughput(rungs: list[Rung], batch: int) -> str:
    """Pictures a second, plain and with all gains, in words."""
    plain, best = (batch / sum(rung.seconds[PICTURE]) for rung in (rungs[0], rungs[-1]))
    return f"{plain:.2f} a second plain, {best:.2f} with {rungs[-1].name.removeprefix('+ ')}"


def report(rungs: list[Rung], schedule: Schedule) -> str:
    """The tables as Markdown: whole tasks, then every scale of a picture; times in ms, gains against plain."""
    plain = rungs[0]
    lines = [
        "| | picture, ms | gain | edit without class, ms | gain | decoder, ms | gain | other tokens |",
        "|---" * 8 + "|",
    ]
    for rung in rungs:
        cells = []
        for task in TASKS:
            ours, theirs = sum(rung.seconds[task]), sum(plain.seconds[task])
            cells += [f"{1e3 * ours:.0f}", f"{theirs / ours:.2f}"]
        ours, theirs = rung.seconds[PICTURE][-1], plain.seconds[PICTURE][-1]
        cells += [f"{1e3 * ours:.0f}", f"{theirs / ours:.2f}", str(sum(rung.differing.values()))]
        lines.append(f"| {rung.name} | " + " | ".join(cells) + " |")
    lengths = " | ".join(str(length) for length in schedule.lengths)
    lines += ["", f"| ms of a scale of so many tokens | {lengths} | decoder |", "|---" * (len(schedule) + 2) + "|"]
    for rung in rungs:
        lines.append(f"| {rung.name} | " + " | ".join(f"{1e3 * value:.0f}" for value in rung.seconds[PICTURE]) + " |")
    return "\n".join(lines)
