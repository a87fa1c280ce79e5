"""What is free is what the machine and its containers leave; a pass needs what was said; parts are all pictures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from var_core import device_memory as budget
from var_core.device_memory import (
    container_memory,
    decoder_bytes,
    fitting,
    free_memory,
    machine_memory,
    picture_bytes,
    portions,
)
from var_core.published_specs import SPECS

ROOT = Path(__file__).resolve().parents[2]
ENDLESS = 9223372036854771712  # what version 1 says where there is no limit


def group(folder: Path, **files: object) -> None:
    """A cgroup's folder; double underscores in names are dots."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def member(folder: Path, *lines: str) -> Path:
    path = folder / "cgroup"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_container_of_version_2_is_left_its_limit_less_what_it_uses_but_for_cached_files(tmp_path):
    stat = "anon 700\nfile 900\nactive_file 30\ninactive_file 5\nshmem 865"
    group(tmp_path, memory__max=1000, memory__current=800, memory__stat=stat)
    assert container_memory(member(tmp_path, "0::/"), tmp_path) == 1000 - 800 + 30 + 5


def test_a_container_of_version_1_is_left_as_much(tmp_path):
    stat = "inactive_file 1\ntotal_active_file 30\ntotal_inactive_file 5"
    files = {"memory__limit_in_bytes": 1000, "memory__usage_in_bytes": 800, "memory__stat": stat}
    lines = ["9:cpu,cpuacct:/docker/0123", "4:memory:/docker/0123", "0::/system"]
    group(tmp_path / "memory" / "docker" / "0123", **files)
    assert container_memory(member(tmp_path, *lines), tmp_path) == 235
    (tmp_path / "other").mkdir()
    group(tmp_path / "other" / "memory", **files)  # as seen from inside, where the group itself is on top
    assert container_memory(member(tmp_path, *lines), tmp_path / "other") == 235


def test_the_groups_above_count_as_well(tmp_path):
    stat = "active_file 0\ninactive_file 0"
    group(tmp_path / "a", memory__max=500, memory__current=400, memory__stat=stat)
    group(tmp_path / "a" / "b", memory__max="max", memory__current=100, memory__stat=stat)
    group(tmp_path / "a" / "b" / "c", memory__max=450, memory__current=100, memory__stat=stat)
    assert container_memory(member(tmp_path, "0::/a/b/c"), tmp_path) == 100
    assert container_memory(member(tmp_path, "0::/elsewhere"), tmp_path) is None


def test_a_container_that_uses_more_than_its_limit_has_nothing_left(tmp_path):
    group(tmp_path, memory__max=100, memory__current=130, memory__stat="inactive_file 7")
    assert container_memory(member(tmp_path, "0::/"), tmp_path) == 0


@pytest.mark.parametrize("lines", [[], ["0::/"], ["4:memory:/x", "0::/"], ["1:name=systemd:/"], ["nonsense"]])
def test_without_groups_there_is_no_limit(tmp_path, lines):
    assert container_memory(member(tmp_path, *lines), tmp_path / "root") is None
    assert container_memory(tmp_path / "not there", tmp_path) is None


def test_the_machine_says_what_is_available(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:  999 kB\nMemFree:  1 kB\nMemAvailable:    400 kB\n")
    assert machine_memory(tmp_path / "meminfo") == 400 * 1024
    whole = machine_memory(tmp_path / "not there")
    assert whole is None or whole > 10**8


@pytest.mark.parametrize(
    ("machine", "container", "free"), [(5, 3, 3), (3, ENDLESS, 3), (3, None, 3), (None, 7, 7), (None, None, None)]
)
def test_the_smaller_of_both_is_free(monkeypatch, machine, container, free):
    monkeypatch.setattr(budget, "machine_memory", lambda: machine)
    monkeypatch.setattr(budget, "container_memory", lambda: container)
    assert free_memory("cpu") == free


def test_this_machine_has_some_memory():
    assert free_memory("cpu") > 10**8


@pytest.mark.parametrize("count", range(1, 18))
@pytest.mark.parametrize("most", [1, 2, 3, 5, 16, 10**9])
def test_parts_are_all_pictures_in_order_in_as_few_parts_as_can_be(count, most):
    parts = portions(count, most)
    assert [place for part in parts for place in range(count)[part]] == list(range(count))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) == sizes[0] <= most and len(parts) == -(-count // most)


def test_as_many_fit_as_memory_holds_with_a_tenth_to_spare_and_always_one():
    assert [fitting(100, free) for free in (0, 111, 222, 223, 1000)] == [1, 1, 1, 2, 9]
    assert fitting(100, None) >= 10**6


def test_guidance_smooth_mode_and_wider_numbers_cost_more():
    spec = SPECS["var-d16"]
    lengths = [side**2 for side in spec.transformer.sides]
    plain = picture_bytes(spec, lengths, branches=1)
    assert plain < picture_bytes(spec, lengths)
    assert plain < picture_bytes(spec, lengths, branches=1, smooth=True)
    assert picture_bytes(spec, lengths, branches=1, number=2) < plain


def test_keys_and_values_weigh_most_in_the_published_models():
    spec = SPECS["var-d36-s"]
    lengths = [side**2 for side in spec.transformer.sides]
    cache = 2 * 2 * 36 * sum(lengths) * spec.transformer.width * 4
    assert cache < picture_bytes(spec, lengths) < 1.3 * cache
    assert decoder_bytes(spec) < picture_bytes(spec, lengths)


MEASURED = """
import gc, re
from pathlib import Path
from var_core.device_memory import picture_bytes
from var_core.weights.checkpoints import LoadedModel
from var_core.config import ModelSpec, OFFICIAL_SIDES_256, TokenizerConfig, TransformerConfig
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.nn.transformer import VAR, randomise
from var_core.nn.tokenizer import Preview, Tokenizer

sides = OFFICIAL_SIDES_256
spec = ModelSpec("m", TokenizerConfig(sides, channels=32), TransformerConfig(sides, 9, depth=4, width=256, heads=4))
var = randomise(VAR(spec.transformer)).eval()
pipe = Pipeline(LoadedModel(spec, Tokenizer(spec.tokenizer).eval(), Preview(spec.tokenizer).eval(), var, "0" * 12))

def held(kind):
    return 1024 * int(re.search(kind + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

def drained(count):
    for _ in pipe.steps(Request((1,) * count, tuple(range(count)))):
        pass

drained(1)  # what is made once, and stays
gc.collect()
before = held("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
drained(4)
print((held("VmHWM") - before) / (4 * picture_bytes(spec, pipe.schedule.lengths)))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures as only Linux can")
def test_a_pass_needs_what_was_said():
    command = [sys.executable, "-c", MEASURED]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=one_thread, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert 0.7 < float(done.stdout) < 1.1
