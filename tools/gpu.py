"""Show in about eight minutes what only a GPU can: tests, speed, memory, training.

`python tools/gpu.py` writes runs/gpu/gpu.json and runs/gpu/gpu.md. `--trial` does the same on a CPU with a tiny model.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from var_core.clock import timed  # noqa: E402
from var_core.config import ModelSpec, Sampling, TransformerConfig  # noqa: E402
from var_core.engine.request import Request  # noqa: E402
from var_core.engine.sampling import steps  # noqa: E402
from var_core.measuring import ablation  # noqa: E402
from var_core.nn.transformer import VAR, initialise  # noqa: E402
from var_core.published_specs import SPECS  # noqa: E402
from var_core.tables import markdown  # noqa: E402
from var_core.weights import checkpoints  # noqa: E402

MINUTES = 8.0
SHORTEST = 60.0  # seconds that must be left for another part to begin
SAMPLING = Sampling(guidance=1.5, top_k=900, top_p=0.96)
STEPS = 20  # of a training that is timed
Row = dict[str, object]


@dataclass(frozen=True)
class Machine:
    """A device, "cuda" or in a trial "cpu", and `until` when all must be done, by `time.monotonic`."""

    device: str
    trial: bool
    until: float

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.until - time.monotonic()

    def spec(self, name: str) -> ModelSpec:
        """Return the sizes of a published model; in a trial those of a tiny one with its name."""
        spec = SPECS[name]
        if not self.trial:
            return spec
        sides = (1, 2, 3, 4)
        codes = replace(
            spec.tokenizer, sides=sides, vocabulary=64, code_width=8, channels=16, multipliers=(1, 2), norm_groups=4
        )
        shared = spec.transformer.shared_adaln
        transformer = TransformerConfig(sides, 10, 2, 32, 2, vocabulary=64, code_width=8, shared_adaln=shared)
        return replace(
            spec, tokenizer=codes, transformer=transformer, class_names=(), class_groups=(), class_synonyms=()
        )


def tests(machine: Machine) -> list[Row]:
    """Run the tests that need a GPU."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "tests/gpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=max(machine.left, 1), check=False)
    tail = done.stdout.strip().splitlines()[-1:] or [done.stderr.strip()[-200:]]
    return [{"what": "tests/gpu", "exit status": done.returncode, "said": tail[0]}]


def speeds(machine: Machine) -> list[Row]:
    """Time a picture and an edit of the size of VAR-d16: plain, then one optimisation after another; alone and many."""
    spec, found = machine.spec("var-d16"), []
    for batch in (1, 4) if machine.trial else (1, 32):
        choices = ablation.ANYWHERE if machine.trial else ablation.ON_GPU
        if batch > 1:
            names = [name for name in choices if name == "plain" or choices[name].drawn_only]
            choices = {name: choices[name] for name in names}
        for variant in ablation.run_ablation(spec, 3, SAMPLING, choices, machine.device, batch):
            whole = {task: sum(variant.seconds[task]) for task in ablation.TASKS}
            found.append(
                {
                    "what": f"{spec.name}, {batch} at once, {variant.name}",
                    "picture, ms": round(1e3 * whole[ablation.PICTURE], 1),
                    "edit, ms": round(1e3 * whole[ablation.EDIT], 1),
                    "pictures a second": round(batch / whole[ablation.PICTURE], 2),
                    "other tokens": sum(variant.differing.values()),
                }
            )
    return found


def large(machine: Machine) -> list[Row]:
    """Draw with the sizes of the largest published models, in float16: seconds a picture and memory."""
    found = []
    for name in ("var-d30", "var-d36-s"):
        spec = machine.spec(name)
        with torch.device(machine.device):
            networks = ablation.random_networks(spec)
        networks = replace(
            networks, var=networks.var.to(machine.device), tokenizer=networks.tokenizer.to(machine.device)
        )
        if machine.device == "cuda":
            ablation.halve(networks.var)
        for batch in (1, 8):
            request = Request(tuple(range(batch)), tuple(range(batch)), SAMPLING)

            def picture(networks: ablation.Networks = networks, request: Request = request) -> None:
                *_, last = steps(networks.var, networks.tokenizer.quantizer, request)
                with torch.inference_mode():
                    for one in last.f_hat:
                        networks.tokenizer.decode(one[None])

            picture()  # warms up
            _forget_peak(machine)
            seconds = min(timed(picture, torch.device(machine.device)) for _ in range(2))
            found.append(
                {
                    "what": f"{name}, {spec.tokenizer.drawn_side} px, {batch} at once",
                    "ms a picture": round(1e3 * seconds / batch, 1),
                    "GPU memory, GiB": _peak(machine),
                }
            )
        del networks
    return found


def training(machine: Machine) -> list[Row]:
    """Time steps of a transformer's training, of the bundled model's size and of that of VAR-d16, in bfloat16."""
    sizes = {"bundled": checkpoints.read_spec(checkpoints.find(checkpoints.DEFAULT)).transformer}
    sizes["var-d16"] = machine.spec("var-d16").transformer
    found = []
    for name, config in sizes.items():
        batch = 2 if machine.trial else 64
        var = initialise(VAR(config)).to(machine.device)
        optimiser = torch.optim.AdamW(var.parameters(), lr=1e-4)
        labels = torch.arange(batch, device=machine.device) % config.classes
        tokens = torch.randint(config.vocabulary, (batch, var.schedule.total), device=machine.device)
        seen = torch.randn(
            batch, var.schedule.total - var.schedule.lengths[0], config.code_width, device=machine.device
        )

        def step(
            var: VAR = var,
            optimiser: torch.optim.Optimizer = optimiser,
            given: tuple[torch.Tensor, ...] = (labels, seen, tokens),
        ) -> None:
            with torch.autocast(machine.device, torch.bfloat16):
                logits = var(*given[:2])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), given[2].flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

        step()
        _forget_peak(machine)
        count = 1 if machine.trial else STEPS
        seconds = timed(lambda step=step, count=count: [step() for _ in range(count)], torch.device(machine.device))
        found.append(
            {
                "what": f"training of {name}, {batch} pictures a step",
                "steps a second": round(count / seconds, 2),
                "pictures a second": round(batch * count / seconds, 1),
                "GPU memory, GiB": _peak(machine),
            }
        )
    return found


def command(machine: Machine) -> list[Row]:
    """Train by the command under torchrun with one process, which on a GPU talks through NCCL."""
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder) / "data", Path(folder) / "run"
        names = _write_pictures(data)
        training_command = ["-m", "var_core", "train", "transformer", "--data", str(data), "--out", str(run)]
        training_command += ["--tokenizer", str(checkpoints.find(checkpoints.DEFAULT)), "--device", machine.device]
        training_command += ["--steps", "2" if machine.trial else "60", "--batch", "4" if machine.trial else "64"]
        if machine.trial:
            training_command += ["--depth", "1", "--width", "32", "--heads", "2"]
        launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "1", *training_command]
        environment = {**os.environ, "NCCL_DEBUG": "VERSION"}
        began = time.perf_counter()
        done = subprocess.run(
            launcher,
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=environment,
            timeout=max(machine.left, 1),
            check=False,
        )
        found = re.search(r"NCCL version \S+", done.stdout + done.stderr)
        log = run / "log.jsonl"
        rows = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
        last = next((row for row in reversed(rows) if "loss" in row), {})
    return [
        {
            "what": f"train transformer under torchrun, {len(names)} classes",
            "exit status": done.returncode,
            "NCCL": found[0] if found else "not used",
            "steps": last.get("step", 0),
            "loss": round(last.get("loss", float("nan")), 3),
            "seconds, start included": round(time.perf_counter() - began, 1),
            "said": "" if done.returncode == 0 else (done.stderr or done.stdout).strip()[-300:],
        }
    ]


def _write_pictures(root: Path, count: int = 8) -> list[str]:
    """Write a folder of noise to train on; return its classes."""
    rng, names = np.random.default_rng(0), ["light", "dark"]
    for split in ("train", "val"):
        for number, name in enumerate(names):
            folder = root / split / name
            folder.mkdir(parents=True)
            for picture in range(count):
                pixels = rng.integers(128, size=(128, 128, 3)) + 128 * (1 - number)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{picture}.png")
    return names


def _forget_peak(machine: Machine) -> None:
    if machine.device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _peak(machine: Machine) -> float | None:
    """Return GiB of GPU memory held at most since it was forgotten; None on a CPU."""
    return round(torch.cuda.max_memory_allocated() / 2**30, 2) if machine.device == "cuda" else None


PARTS: dict[str, Callable[[Machine], list[Row]]] = {
    "tests": tests,
    "large": large,
    "training": training,
    "command": command,
    "speeds": speeds,  # last: torch.compile takes longest
}


def carried_out(machine: Machine) -> dict[str, list[Row]]:
    """Carry out all parts for which there is time; one that fails says so, and the others go on."""
    found: dict[str, list[Row]] = {}
    for name, part in PARTS.items():
        began = time.perf_counter()
        if machine.left < SHORTEST:
            found[name] = [{"what": name, "said": "no time was left"}]
            continue
        try:
            found[name] = part(machine)
        except Exception as error:  # whatever a GPU answers, the rest is worth measuring
            found[name] = [{"what": name, "exit status": 1, "said": f"{type(error).__name__}: {error}"}]
        if machine.device == "cuda":
            torch.cuda.empty_cache()
        sys.stdout.write(f"{name}: {time.perf_counter() - began:.0f} s\n")
        sys.stdout.flush()
    return found


def table(found: dict[str, list[Row]]) -> str:
    """Return all parts as Markdown."""
    texts = []
    for name, rows in found.items():
        heads = list(dict.fromkeys(head for row in rows for head in row))
        cells = [tuple(str(row.get(head, "")) for head in heads) for row in rows]
        texts.append(f"### {name}\n\n{markdown(tuple(heads), cells)}")
    return "\n\n".join(texts)


def main() -> int:
    """Carry out all parts, write both files, print the table; return the exit status."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--out", type=Path, default=ROOT / "runs" / "gpu", help="folder for gpu.json and gpu.md")
    made.add_argument("--minutes", type=float, default=MINUTES, help="how long it may take")
    made.add_argument("--trial", action="store_true", help="a tiny model on the CPU: whether the script works")
    options = made.parse_args()
    if not options.trial and not torch.cuda.is_available():
        sys.stderr.write(
            "There is no GPU here that torch can use: run this where there is one, or with --trial on the CPU.\n"
        )
        return 2
    machine = Machine("cpu" if options.trial else "cuda", options.trial, time.monotonic() + 60 * options.minutes)
    name = "CPU" if options.trial else torch.cuda.get_device_name()
    found = carried_out(machine)
    options.out.mkdir(parents=True, exist_ok=True)
    told = {"device": name, "torch": torch.__version__, "parts": found}
    (options.out / "gpu.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    text = f"{name}, torch {torch.__version__}\n\n{table(found)}\n"
    (options.out / "gpu.md").write_text(text, encoding="utf-8")
    sys.stdout.write(f"{text}\n")
    return 0 if all(row.get("exit status", 0) == 0 for rows in found.values() for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
