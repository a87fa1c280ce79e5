"""Two processes train as one does: the same curve, the same weights in both, one that writes, one end for all."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support import tasks, tiny
from support.command import SMALL, run
from support.processes import START, two_started
from support.tasks import ROUNDING, SMOOTH, assert_same, curve, last

from var_core.training import distributed
from var_core.training.data import PictureSet
from var_core.training.tokenizer_task import tokenise
from var_core.training.trainer import Budget, Trainer, load_state

ROOT = Path(__file__).resolve().parents[3]
STEPS = 6
MUON = replace(tasks.SETTINGS, muon=True)


def many(count: int) -> PictureSet:
    """Pictures of noise, more than a process encodes at once."""
    rng = torch.Generator().manual_seed(0)
    return PictureSet(torch.randint(256, (count, 32, 32, 3), generator=rng, dtype=torch.uint8), torch.arange(count), ())


def refuse() -> None:
    raise ValueError(f"refused by process {distributed.rank()}")


def told_error() -> str:
    """The error that process 0 meets, as this process hears of it."""
    try:
        distributed.broadcast(refuse)
    except ValueError as error:
        return str(error)
    return ""


def steps_in_a_moment(task, out: Path) -> int:
    """How many steps a process takes that has two tenths of a second."""
    trainer = Trainer(task, out)
    return len(list(trainer.run(Budget(minutes=0.2 / 60))))


def stopped_by(rank: int, task, out: Path) -> int:
    """How many steps a process takes of a training that only process `rank` is asked to stop."""
    trainer = Trainer(task, out)
    for row in trainer.run(Budget(steps=500)):
        if row["step"] == 2 and distributed.rank() == rank:
            trainer.stop()
    return trainer.step


def work(rank: int, root: Path, out: Path) -> None:
    """What each of the two processes does; all that it finds goes into a file."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{out / 'meeting'}", rank=rank, world_size=2)
    folder, found = tasks.read(root), {}
    settings = replace(tasks.SETTINGS, accumulate=2)
    for name, make in SMOOTH.items():
        task, halved = make(folder), make(folder, settings)
        found[name] = curve(task, out / name, STEPS)
        found[f"{name} weights"] = {**task.model.state_dict(), **task.extra_state()}
        found[f"{name} in parts"] = curve(halved, out / f"{name}-parts", STEPS)
        found[f"{name} resumed"] = curve(make(folder), out / f"{name}-begun-alone", STEPS // 2, resume=True)
        curve(make(folder), out / f"{name}-begun-together", STEPS // 2)
    make = SMOOTH["transformer"]
    orthogonal = make(folder, MUON)
    curve(orthogonal, out / "muon", STEPS)
    found["muon weights"] = orthogonal.model.state_dict()
    found["moment"] = steps_in_a_moment(make(folder), out / "moment")
    found["stopped"] = stopped_by(1, make(folder), out / "stopped")
    found["tokens"] = last(tokenise(tiny.networks()[0], many(150))).tokens
    found["told"] = distributed.broadcast(lambda: f"by {distributed.rank()}")
    found["error"] = told_error()
    found["sum"] = distributed.all_reduce_sum(torch.tensor([1.0, rank]))
    found["largest"] = distributed.all_reduce_max([rank, -rank])
    torch.save(found, out / f"found-{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def folder(data):
    return tasks.read(data)


@pytest.fixture(scope="module")
def out(data, folder, tmp_path_factory):
    """A folder in which two processes have been at work."""
    out = tmp_path_factory.mktemp("both")
    for name, make in SMOOTH.items():
        curve(make(folder), out / f"{name}-begun-alone", STEPS // 2)
    for name in ("moment", "stopped"):
        (out / name).mkdir()
    torch.multiprocessing.start_processes(work, (data, out), nprocs=2, start_method=START)
    return out


@pytest.fixture(scope="module")
def found(out) -> list[dict]:
    """What each of the two processes has found."""
    return [torch.load(out / f"found-{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("name", SMOOTH)
def test_two_processes_follow_the_curve_of_one(name, folder, found, tmp_path):
    alone = curve(SMOOTH[name](folder), tmp_path, STEPS)
    for kind in ("", " in parts"):
        assert found[0][name + kind] == pytest.approx(alone, rel=ROUNDING[name])
    assert found[0][f"{name} resumed"] == pytest.approx(alone[STEPS:], rel=ROUNDING[name])


@pytest.mark.parametrize("name", SMOOTH)
def test_one_process_goes_on_with_what_two_began(name, folder, out, tmp_path):
    alone = curve(SMOOTH[name](folder), tmp_path, STEPS)
    resumed = curve(SMOOTH[name](folder), out / f"{name}-begun-together", STEPS // 2, resume=True)
    assert resumed == pytest.approx(alone[STEPS:], rel=ROUNDING[name])


def test_muon_moves_the_weights_in_two_processes_as_in_one(folder, found, tmp_path):
    start, task = SMOOTH["transformer"](folder).model.state_dict(), SMOOTH["transformer"](folder, MUON)
    curve(task, tmp_path, STEPS)
    for name, weight in task.model.blocks.named_parameters(prefix="blocks"):
        moved, apart = (weight - start[name]).norm(), (weight - found[0]["muon weights"][name]).norm()
        assert apart < 0.2 * moved, name  # its products are bfloat16


def test_both_processes_hold_the_same_to_the_last_bit(found):
    assert_same(*found)


def test_one_of_them_writes(out):
    assert len((out / "tokenizer" / "log.jsonl").read_text().splitlines()) == 1
    assert {path.name for path in (out / "tokenizer").iterdir()} == {"log.jsonl", "samples-0000006.png", "state.pt"}


def test_time_that_is_up_ends_both_at_the_same_step(found, out):
    assert found[0]["moment"] == found[1]["moment"] == load_state(out / "moment", "transformer")["step"] >= 1


def test_a_stop_asked_of_one_ends_both_and_saves_once(found, out):
    assert found[0]["stopped"] == found[1]["stopped"] == load_state(out / "stopped", "transformer")["step"] == 3
    assert [path.name for path in (out / "stopped").iterdir()] == ["state.pt"]


def test_tokens_shared_out_are_those_of_one_process(found):
    assert torch.equal(found[0]["tokens"], last(tokenise(tiny.networks()[0], many(150))).tokens)


def test_what_the_first_process_makes_or_meets_the_others_hear_of(found):
    assert [(each["told"], each["error"]) for each in found] == [("by 0", "refused by process 0")] * 2
    assert all(each["sum"].tolist() == [2.0, 1.0] and each["largest"] == [1.0, 0.0] for each in found)


def test_a_process_alone_needs_no_others():
    values, network = torch.ones(2), torch.nn.Linear(2, 2)
    assert (distributed.rank(), distributed.world()) == (0, 1)
    assert distributed.all_reduce_sum(values) is values and distributed.wrap_ddp(network) is network
    assert distributed.all_reduce_max([1.0, -2.0]) == [1.0, -2.0] and distributed.broadcast(lambda: 3) == 3
    distributed.wait()


def test_the_commands_work_in_two_processes_and_are_heard_once(data, model, tmp_path):
    out, shared = tmp_path / "var", ("--data", data, "--tokenizer", model, "--steps", 2, "--batch", 4)
    sizes = ("--depth", 2, "--width", 32, "--heads", 2, "--accumulate", 2, "--device", "cpu")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "var_core"]
    command = [*torchrun, *map(str, ("train", "transformer", *shared, *sizes, "--out", out))]
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and done.stdout.count("18 train and 9 val pictures") == 1
    assert {path.name for path in out.iterdir()} == {"log.jsonl", "samples-0000002.png", "state.pt", "tokens.pt"}
    assert run("train", "transformer", *shared, "--resume", "--out", out) == 0
    assert load_state(out, "transformer")["step"] == 4


@pytest.mark.skipif(sys.platform == "win32", reason="ends programs as only POSIX can")
def test_a_signal_to_one_process_saves_once_and_ends_both(data, tmp_path):
    out, words = tmp_path / "run", ("train", "tokenizer", "--data", data, *SMALL.split(), "--device", "cpu")
    both = two_started(*words, "--minutes", 5, "--out", out, said=tmp_path / "said")
    while not (out / "log.jsonl").is_file():
        assert all(one.is_alive() for one in both)
        both[0].join(0.1)
    both[1].terminate()
    for one in both:
        one.join(60)
    steps = load_state(out, "tokenizer")["step"]
    assert [one.exitcode for one in both] == [0, 0]
    assert (tmp_path / "said").read_text().count(f"stopped and saved at step {steps}") == 1
    assert run(*words, "--resume", "--steps", 1, "--out", out) == 0
    assert load_state(out, "tokenizer")["step"] == steps + 1
