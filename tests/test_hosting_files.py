"""Files for hosting: their syntax is right, what they name is there, and they agree with one another and the app."""

import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import nbformat
import pytest
import yaml
from support import tiny
from support.door import ask, echo
from support.served import Visitor, free_port

from var_core.engine.request import Request
from var_studio import flags
from var_studio.hosting.addresses import Forwarded
from var_studio.shared.limits import PUBLIC
from var_studio.shared.sessions import Sessions

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SERVICE = (DEPLOY / "var-studio.service").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def known_variables() -> set[str]:
    """Environment variables of the app."""
    options = {option for action in flags.parser()._actions for option in action.option_strings}
    return {flags.variable(option) for option in options} | {"VAR_STUDIO_HOME", flags.LIMITS}


@pytest.mark.parametrize(
    "path", ["Dockerfile", "deploy/compose.yaml", "deploy/var-studio.service", "docs/hosting.md"], ids=Path
)
def test_every_variable_of_the_app_is_one(path):
    named = set(re.findall(r"VAR_STUDIO_[A-Z_]+", (ROOT / path).read_text(encoding="utf-8")))
    assert named
    assert named <= known_variables()


def test_every_flag_of_the_app_on_the_page_and_in_the_service_is_one():
    lines = re.findall(r"(?:^|[`/])var-studio( --[^`\n]*)", f"{PAGE}\n{SERVICE}", re.MULTILINE)
    assert len(lines) >= 3
    for line in lines:
        flags.read_flags(shlex.split(line.replace("--help", "")), {})


def test_the_image_is_linted():
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_gets_all_that_the_package_is_built_of_and_nothing_else():
    let_in = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    top = set(re.findall(r'"([a-z_]+)[."]', re.search(r"^packages = \[(.*?)\]", project, re.M | re.S)[1]))
    assert top <= set(let_in)
    assert {"assets", "pyproject.toml", "requirements*.txt", "README.md", "LICENSE"} <= set(let_in)
    assert all(list(ROOT.glob(pattern)) for pattern in let_in)
    assert not {"tests", "runs", "docs", ".git", "checkpoints"} & set(let_in)


def test_the_container_writes_to_two_places_and_is_nobody_in_particular():
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    assert "HOME=/tmp" in DOCKERFILE and "VAR_STUDIO_HOME=/data" in DOCKERFILE
    studio = COMPOSE["services"]["studio"]
    assert studio["read_only"] and studio["cap_drop"] == ["ALL"]
    assert {entry.split(":")[-1] for entry in studio["volumes"]} == {"/data"}
    assert [entry.split(":")[0] for entry in studio["tmpfs"]] == ["/tmp"]
    assert {"cpus", "mem_limit", "pids_limit"} <= studio.keys()
    assert "ports" not in studio  # only the proxy is reached from outside


def test_compose_and_proxy_agree_on_path_network_and_port():
    studio, proxy = COMPOSE["services"]["studio"], COMPOSE["services"]["proxy"]
    caddy = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    path = studio["environment"]["VAR_STUDIO_ROOT_PATH"]
    assert f"handle_path {path}/*" in caddy
    assert studio["environment"]["VAR_STUDIO_PROXIES"] == COMPOSE["networks"]["default"]["ipam"]["config"][0]["subnet"]
    port = re.search(r"VAR_STUDIO_PORT=(\d+)", DOCKERFILE)[1]
    assert f"studio:{port}" in caddy and f"EXPOSE {port}" in DOCKERFILE and f"127.0.0.1:{port}/healthz" in DOCKERFILE
    assert (DEPLOY / proxy["volumes"][0].split(":")[0]).is_file()
    assert set(COMPOSE["volumes"]) == {
        entry.split(":")[0] for one in (studio, proxy) for entry in one["volumes"] if not entry.startswith(".")
    }


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
def test_systemd_understands_the_service(tmp_path):
    file = tmp_path / "var-studio.service"
    file.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", SERVICE), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_notebook_is_one_and_starts_the_app_with_a_link():
    path = ROOT / "docs" / "colab.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    (command,) = re.findall(r"^!var-studio(.*)$", path.read_text(encoding="utf-8").replace('"', "\n"), re.MULTILINE)
    assert flags.read_flags(shlex.split(command), {}).share
    assert not any(cell.get("outputs") for cell in notebook.cells)


@pytest.fixture
def space(tmp_path, monkeypatch):
    """The folder of a Space, from which modules are imported as there."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    import make_space

    make_space.make(tmp_path / "space")
    monkeypatch.syspath_prepend(tmp_path / "space")
    yield tmp_path / "space"
    sys.modules.pop("space", None)


def test_the_folder_of_a_space_has_what_its_front_matter_names(space):
    text = (space / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)[1])
    assert (front["sdk"], len(front["short_description"]) <= 60) == ("gradio", True)
    assert (space / front["app_file"]).is_file()
    needed = (space / "requirements.txt").read_text(encoding="utf-8").splitlines()
    ours = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in ours if not line.startswith("gradio")] == needed[1:]
    assert needed[0].endswith("/whl/cpu")
    least = re.search(r"gradio>=(\d+)\.(\d+)", "\n".join(ours))
    assert tuple(map(int, front["sdk_version"].split(".")[:2])) >= (int(least[1]), int(least[2]))
    assert (space / "checkpoints" / "flowers-scenes-128.safetensors").stat().st_size > 10**7


@pytest.mark.usefixtures("bundled", "space")
def test_a_pipeline_whose_drawing_is_lent_away_draws_the_same_pixels():
    import space as of_space

    asked, borrowed = [], []

    def borrow(draw):
        borrowed.append(draw)

        def lent(request):
            asked.append(request)
            return draw(request)

        return lent

    pipe = of_space.lent("cpu", borrow)
    request = Request((3,), seeds=(7,), sampling=pipe.spec.default_sampling)
    *_, done = pipe.stream(request)
    assert asked == [request] and len(borrowed) == 1
    assert pipe.run(request).images == of_space.Pipeline.load(options=pipe.options).run(request).images
    assert done.complete
    with pytest.raises(ValueError, match="labels"):
        pipe.stream(Request((999,), seeds=(7,)))


def test_progress_on_the_cpu_is_the_same_progress(space):
    import space as of_space

    assert space.is_dir()
    *_, done = tiny.pipeline().stream(Request((1, 2), seeds=(1, 2)))
    moved = of_space.on_cpu(done)
    assert (moved.f_hat == done.f_hat).all() and moved.count == done.count
    assert {tensor.device.type for tensor in (moved.f_hat, moved.last.tokens)} == {"cpu"}


def test_a_space_of_lent_gpus_bounds_visitors_and_deletes_what_they_leave(space, monkeypatch):
    assert space.is_dir()
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=lambda **_: str))
    import space as of_space

    monkeypatch.setattr(of_space, "lent", lambda *_: tiny.pipeline())  # there is no GPU
    monkeypatch.setattr(of_space, "HOST", "127.0.0.1")
    monkeypatch.setattr(of_space, "PORT", free_port())
    monkeypatch.setattr(gr.Blocks, "block_thread", look_around)
    assert of_space.main() == 0


@pytest.fixture
def at_the_proxy_of_a_space(space, monkeypatch):
    """Tells by which address a request is counted that a Space's proxy hands on with an `X-Forwarded-For`."""
    assert space.is_dir()
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    import space as of_space

    given = []
    monkeypatch.setattr(of_space.studio, "main", lambda arguments: given.extend(arguments) or 0)
    assert of_space.main() == 0
    believing = Forwarded(echo, flags.read_flags(given, {}).proxies)

    def counted(forwarded: str, proxy: str = "10.16.3.80") -> str:
        return ask(believing, client=(proxy, 4000), headers={"X-Forwarded-For": forwarded}).json()["client"]

    return counted


@pytest.mark.parametrize("proxy", ["10.16.3.80", "172.20.0.2", "192.168.1.1", "100.64.3.4"])
def test_visitors_of_a_space_have_addresses_of_their_own(at_the_proxy_of_a_space, proxy):
    addresses = [at_the_proxy_of_a_space(one, proxy) for one in ("8.8.8.8", "7.7.7.7", "6.6.6.6, 10.0.0.9")]
    assert addresses == ["8.8.8.8", "7.7.7.7", "6.6.6.6"]


@pytest.mark.parametrize("forged", ["1.2.3.4", "10.9.9.9", "127.0.0.1", "1.2.3.4, 10.9.9.9", "nonsense", ""])
def test_a_visitor_of_a_space_cannot_choose_his_address(at_the_proxy_of_a_space, forged):
    assert at_the_proxy_of_a_space(f"{forged}, 8.8.8.8") == "8.8.8.8"
    assert at_the_proxy_of_a_space(forged, "8.8.8.8") == "8.8.8.8"  # who comes past the proxies is not believed


def look_around(page: gr.Blocks) -> None:
    """Visit an app while it is served, and look at what is left once the visitor has been idle for long."""
    try:
        with Visitor(page.local_url) as visitor:
            sent = visitor.http.post("gradio_api/upload", files={"files": ("photo.png", b"x")}).json()[0]
            assert visitor.fire("random_class")["success"] and Path(sent).is_file()
            body = {"data": [], "fn_index": visitor.event("watch")["id"], "session_hash": visitor.session}
            assert visitor.http.post("gradio_api/run/watch", json=body).status_code == 404
            assert visitor.http.get("monitoring").status_code != 200
        sessions = page.app.state_holder
        with Visitor(page.local_url, **{"X-Forwarded-For": "1.2.3.4, 8.8.8.8, 10.16.3.80"}) as other:
            assert other.fire("random_class")["success"]
        assert (sessions._addresses[visitor.session], sessions._addresses[other.session]) == ("", "8.8.8.8")
        assert isinstance(sessions, Sessions) and visitor.session in sessions.session_data
        assert page._queue.max_size == PUBLIC.event_queue
        later = time.monotonic() + 60 * PUBLIC.idle_minutes + 1
        for now in (later, 2 * later):
            sessions.clock = sessions._noted.clock = lambda now=now: now
            sessions.delete_all_expired_state()
        assert not sessions.session_data and not Path(sent).exists()
    finally:
        page.close()
