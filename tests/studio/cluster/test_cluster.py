"""Replicas in processes of their own draw the same pixels, also together, stopped, or killed in the middle."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import browser, tiny

from var_core.config import ON_CPU, Sampling
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.weights.checkpoints import file_digest
from var_studio.cluster.pipeline import Cluster, ClusterPipeline
from var_studio.cluster.replica import ModelFile, WaitingRequest, grouped

TESTS = Path(__file__).resolve().parents[2]


def images(result) -> list[np.ndarray]:
    return [np.asarray(image) for image in result.images]


def same(first, second) -> bool:
    return all((one == other).all() for one, other in zip(images(first), images(second), strict=True))


# ------------------------------------------------------------------------------------------------ without a cluster


def test_jobs_that_are_drawn_alike_go_together_and_get_their_own_pictures():
    pipe, warm = tiny.pipeline(), Sampling(temperature=1.5)
    requests = [Request((1, 2), (3, 4)), Request((5,), (6,)), Request((1,), (3,), warm), Request((0,), (9,))]
    groups = grouped([WaitingRequest(pipe, request) for request in requests])
    assert [len(group.jobs) for group in groups] == [3, 1]
    for group in groups:
        steps = []
        while (found := group.next())[0] is not None:
            steps.append(found)
        for row, job in enumerate(group.jobs):
            alone = list(pipe.steps(job.request))
            assert all((ours[row].tokens == step.tokens).all() for ours, step in zip(steps, alone, strict=True))


def test_jobs_that_memory_does_not_hold_together_are_drawn_apart(monkeypatch):
    pipe = tiny.pipeline()
    monkeypatch.setattr(Pipeline, "at_once", lambda _, request: min(2, len(request.labels)))
    groups = grouped([WaitingRequest(pipe, Request((1,), (seed,))) for seed in range(5)])
    assert [len(group.jobs) for group in groups] == [2, 2, 1]


def test_what_nobody_waits_for_any_more_is_drawn_no_further():
    pipe = tiny.pipeline()
    (group,) = grouped([WaitingRequest(pipe, Request((1,), (2,))), WaitingRequest(pipe, Request((1,), (3,)))])
    group.jobs[0].gone = True
    assert all(group.next())
    group.jobs[1].gone = True
    assert group.next() == [None, None]


@pytest.fixture
def machines(tmp_path: Path) -> tuple[Path, Path]:
    """The folders for models of the machine of the app, which has a model, and of another one."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    tiny.write(ours)
    return ours, theirs


def test_the_app_tells_replicas_where_its_model_lies_and_which_it_is(machines, monkeypatch):
    monkeypatch.chdir(machines[0])
    pipe = Cluster(None).load("tiny.safetensors", ON_CPU)
    assert pipe.file == ModelFile(str(machines[0] / "tiny.safetensors"), pipe.digest)
    assert ModelFile.from_text(pipe.file.to_text()) == pipe.file


def test_a_model_is_found_at_the_same_path_or_by_its_name_in_a_machines_own_folder(machines):
    ours, theirs = machines
    path = ours / "tiny.safetensors"
    model = ModelFile(str(path), file_digest(path))
    assert model.here(theirs) == path
    path.rename(theirs / path.name)
    assert model.here(theirs) == theirs / path.name


@pytest.mark.parametrize("there", ["nothing", "another one", "a damaged file"])
def test_a_machine_without_the_model_names_it_and_says_what_it_needs(machines, there):
    ours, theirs = machines
    path, own = ours / "tiny.safetensors", theirs / "tiny.safetensors"
    model = ModelFile(str(path), file_digest(path))
    path.unlink()
    has = "no tiny"
    if there == "another one":
        has = f"another tiny ({file_digest(tiny.write(theirs, seed=1))})"
    elif there == "a damaged file":
        own.write_bytes(b"no model")
    with pytest.raises(ValueError) as told:
        model.here(theirs)
    assert f"A worker has {has}: each machine needs the app's file ({model.digest})" in str(told.value)
    assert str(ours) not in str(told.value) and "in its own folder for models" in str(told.value)


# ------------------------------------------------------------------------------------------------ two replicas


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a model slow enough to be stopped."""
    path = tmp_path_factory.mktemp("models")
    browser.write(path)
    return path


@pytest.fixture(scope="module")
def cluster(folder) -> Iterator[Cluster]:
    """Two replicas of one thread."""
    ray = pytest.importorskip("ray")
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ["PYTHONPATH"] = os.pathsep.join((str(TESTS.parent), os.environ.get("PYTHONPATH", "")))
    yield Cluster.start((2, 2), ON_CPU, folder)
    ray.serve.shutdown()
    ray.shutdown()


@pytest.fixture(scope="module")
def pipe(cluster, folder) -> ClusterPipeline:
    return cluster.load(str(folder / "random.safetensors"), ON_CPU, folder)


@pytest.fixture(scope="module")
def plain(folder) -> Pipeline:
    return Pipeline.load(str(folder / "random.safetensors"), ON_CPU, folder)


def replicas() -> list[int]:
    """Return the processes of the replicas."""
    told = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in told.splitlines() if "ServeReplica" in line and "grep" not in line]


def test_pixels_are_the_same_as_without(pipe, plain):
    request = Request((1, 2, 7), (3, 4, 5))
    assert same(pipe.run(request), plain.run(request))


def test_many_at_once_do_not_mix(pipe, plain):
    requests = [Request((label,), (label + 10,)) for label in range(6)]
    found: dict[int, object] = {}
    threads = [
        threading.Thread(target=lambda n=n, r=r: found.setdefault(n, pipe.run(r))) for n, r in enumerate(requests)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same(found[number], plain.run(request)) for number, request in enumerate(requests))


def test_an_error_of_the_drawing_is_told_as_it_is(pipe):
    with pytest.raises(ValueError, match="has another random"):
        list(pipe.cluster.steps(replace(pipe.file, digest="another"), Request((1,), (2,))))


def test_a_replica_killed_in_mid_run_costs_no_pixel(pipe, plain):
    request = Request((1,) * 8, tuple(range(8)))
    progresses = iter(pipe.stream(request))
    next(progresses)
    for process in replicas()[:1]:
        os.kill(process, signal.SIGKILL)
    *_, last = progresses
    assert all(
        (ours.tokens == theirs.tokens).all() for ours, theirs in zip(last.steps, plain.run(request).steps, strict=True)
    )


def test_when_all_are_gone_it_waits_until_one_is_back(pipe, plain):
    for process in replicas():
        os.kill(process, signal.SIGKILL)
    request = Request((2,), (5,))
    assert same(pipe.run(request), plain.run(request))


def test_with_no_patience_it_says_that_all_are_gone(pipe, monkeypatch):
    monkeypatch.setattr(pipe, "cluster", Cluster(pipe.cluster.handle, patience=0.2))
    for process in replicas():
        os.kill(process, signal.SIGKILL)
    with pytest.raises(ValueError, match="all workers are gone"):
        pipe.run(Request((2,), (5,)))


def told(pipe) -> dict[int, dict[str, int]]:
    """Return what both replicas tell, by their processes."""
    found: dict[int, dict[str, int]] = {}
    deadline = time.monotonic() + 60
    while len(found) < 2 and time.monotonic() < deadline:
        answer = pipe.cluster.handle.told.remote().result()
        found[answer["process"]] = answer
    return found


def test_stop_reaches_the_replica(pipe):
    pipe.run(Request((1,), (1,)))
    before = sum(one["scales"] for one in told(pipe).values())
    run = pipe.stream(Request((1,) * 12, tuple(range(12))))
    next(run)
    run.close()
    deadline = time.monotonic() + 60
    while any(one["busy"] for one in told(pipe).values()):
        assert time.monotonic() < deadline
    drawn = sum(one["scales"] for one in told(pipe).values()) - before
    assert drawn <= len(pipe.schedule) // 2
