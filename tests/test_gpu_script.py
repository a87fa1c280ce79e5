"""The script for machines with a GPU, as far as a CPU can try it."""

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "tools" / "gpu.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def machine(script: ModuleType, seconds: float = 600):
    return script.Machine("cpu", True, time.monotonic() + seconds)


@pytest.mark.parametrize("part", ["large", "training", "speeds"])
def test_a_part_measures_something_of_each_size(script, part):
    rows = script.PARTS[part](machine(script))
    assert len(rows) >= 2 and len({row["what"] for row in rows}) == len(rows)
    numbers = [value for row in rows for value in row.values() if isinstance(value, float)]
    assert numbers and all(value > 0 for value in numbers)


def test_a_part_that_fails_says_so_and_the_others_go_on(script, monkeypatch):
    def fails(_machine) -> list:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(script, "PARTS", {"first": fails, "second": lambda _machine: [{"what": "second", "ms": 1.0}]})
    found = script.carried_out(machine(script))
    assert found["first"] == [{"what": "first", "exit status": 1, "said": "RuntimeError: out of memory"}]
    assert "| second | 1.0 |" in script.table(found)


def test_no_part_begins_when_the_time_is_over(script, monkeypatch):
    monkeypatch.setattr(script, "PARTS", {"late": lambda _machine: pytest.fail("it began")})
    assert script.carried_out(machine(script, 1))["late"][0]["said"] == "no time was left"


def test_both_files_are_written(script, monkeypatch, tmp_path):
    monkeypatch.setattr(script, "PARTS", {"one": lambda _machine: [{"what": "one", "exit status": 1}]})
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--trial", "--out", str(tmp_path)])
    assert script.main() == 1
    assert json.loads((tmp_path / "gpu.json").read_text())["parts"]["one"][0]["exit status"] == 1
    assert (tmp_path / "gpu.md").read_text().startswith("CPU, torch")


def test_without_a_gpu_it_says_what_to_do(script, monkeypatch, capsys):
    monkeypatch.setattr(script.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    assert script.main() == 2 and "or with --trial on the CPU" in capsys.readouterr().err
