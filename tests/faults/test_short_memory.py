"""Little memory: a container's limit is seen, parts get smaller, then a sentence says what would fit."""

import resource
import sys
from pathlib import Path

import pytest
from support import tiny
from support.faults import outcome

from var_core import device_memory
from var_core.device_memory import picture_bytes
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request

PIPE = tiny.pipeline()
MANY = Request((1,) * 8, tuple(range(8)))
EACH = picture_bytes(PIPE.spec, PIPE.schedule.lengths)
FILES = {"memory.max": "memory.current", "memory.limit_in_bytes": "memory.usage_in_bytes"}  # versions 2 and 1


@pytest.fixture(params=FILES)
def container(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A container's group, whose limit the test writes; the machine itself has room."""
    is_new = request.param == "memory.max"
    group = tmp_path / ("box" if is_new else "memory/box")
    group.mkdir(parents=True)
    (group / FILES[request.param]).write_text("1000000")
    (group / "memory.stat").write_text("anon 1000000")
    member = tmp_path / "member"
    member.write_text("0::/box\n" if is_new else "4:memory:/box\n")
    seen = device_memory.container_memory
    monkeypatch.setattr(device_memory, "container_memory", lambda: seen(member, tmp_path))
    monkeypatch.setattr(device_memory, "machine_memory", lambda: 10**12)
    return group / request.param


@pytest.mark.parametrize("most", [8, 3, 1])
def test_parts_get_smaller_with_a_container_s_limit_and_pictures_stay_the_same(container: Path, most: int):
    whole = [image.tobytes() for image in PIPE.run(MANY).images]
    container.write_text(str(1_000_000 + int((most + 0.5) * EACH / device_memory.FILLED)))
    assert PIPE.at_once(MANY) == most
    *_, done = PIPE.stream(MANY)
    assert done.at_once == min(most, -(-8 // -(-8 // most)))
    assert [image.tobytes() for image in PIPE.decode(done.f_hat)] == whole


def refuse(_: int) -> None:
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")


def test_a_refusal_names_how_many_would_fit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Pipeline, "drawn", lambda _self, request: iter(map(refuse, request.labels)))
    room = [10**12]
    monkeypatch.setattr("var_core.engine.pipeline.free_memory", lambda _: room[0])
    steps = PIPE.stream(MANY)
    room[0] = 10**12
    with pytest.raises(ValueError, match="too short for 8 pictures at once: about 4 would fit now"):
        next(steps)
    room[0] = int(2.5 * EACH / device_memory.FILLED)
    with pytest.raises(ValueError, match="too short for 2 pictures at once: about 1 would fit now"):
        next(PIPE.stream(MANY))
    with pytest.raises(ValueError, match="too short for 1 picture at once: close other programs"):
        next(PIPE.stream(MANY.part(slice(0, 1))))


def test_an_error_of_another_kind_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Pipeline, "drawn", lambda _self, _request: (_ for _ in ()).throw(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        next(PIPE.stream(MANY))


@pytest.mark.skipif(sys.platform != "linux", reason="bounds memory as only Linux can")
def test_memory_that_the_system_refuses_ends_in_a_sentence_and_the_next_run_is_made():
    def run() -> None:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 200 * EACH, resource.RLIM_INFINITY))
        with pytest.raises(ValueError, match="would fit now"):
            PIPE.run(Request((1,) * 3000, tuple(range(3000))), free=10**12)
        assert PIPE.run(MANY).images

    assert outcome(run) == 0
