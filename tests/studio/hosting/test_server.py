"""The whole app behind its door: directly, and through a proxy that serves it on a sub-path."""

import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from support import tiny
from support.served import Visitor, free_port, proxied, served

from var_studio.hosting.serving import CACHE, Hosting

ROOT = Path(__file__).resolve().parents[3]
PUBLIC = "https://public.example"


@pytest.fixture(scope="module", params=["a path", "an address", "a proxy that tells its host"])
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Where the app is reached through a proxy, and under which public address it believes to be."""
    root = {"an address": f"{PUBLIC}/studio"}.get(request.param, "/studio")
    told = {"X_Forwarded_For": "3.3.3.3", "X_Forwarded_Proto": "https"}
    if request.param == "a proxy that tells its host":
        told["X_Forwarded_Host"] = "public.example"
    with served(tmp_path_factory.mktemp("cache"), Hosting(root=root)) as (address, _):
        with proxied(address, "/studio", **told) as outside:
            expected = f"{outside.replace('http:', 'https:')}" if request.param == "a path" else f"{PUBLIC}/studio"
            yield f"{outside}/", expected


def test_through_a_proxy_the_page_and_what_it_loads_are_there(behind: tuple[str, str]):
    with Visitor(behind[0]) as visitor:
        page = visitor.http.get("").raise_for_status().text
        assert visitor.config["root"] == behind[1]
        scripts = re.findall(r'(?:src|href)="\.?/?(assets/[^"]+)"', page)
        assert scripts
        for path in scripts[:3]:
            answer = visitor.http.get(path)
            assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        linked = re.findall(r'<link rel="(?:icon|manifest)" href="([^"]+)"', page)
        assert sorted(linked) == ["favicon.ico", "manifest.json"]
        for path in ("theme.css", *linked):
            assert visitor.http.get(path).status_code == 200
        assert visitor.http.get("gradio_api/info").status_code == 200


def test_through_a_proxy_pictures_are_drawn_and_files_go_to_and_fro(behind: tuple[str, str], tmp_path: Path):
    address, root = behind
    origin = root.removesuffix("/studio")
    with Visitor(address, Origin=origin, **{"Sec-Fetch-Site": "same-origin"}) as visitor:
        assert visitor.fire("prepare")["success"]
        made = visitor.fire("watch")["output"]["data"][0]["value"][0]["image"]
        assert made["url"].startswith(f"{root}/gradio_api/file=")
        assert visitor.http.get(made["url"].removeprefix(f"{root}/")).content.startswith(b"\x89PNG")
        Image.new("RGB", (64, 48), "teal").save(tmp_path / "photo.png")
        with open(tmp_path / "photo.png", "rb") as photo:
            (path,) = visitor.http.post("gradio_api/upload", files={"files": photo}).json()
        file = {"path": path, "url": f"{root}/gradio_api/file={path}", "meta": {"_type": "gradio.FileData"}}
        assert visitor.fire("open_file", open=file)["success"]


def test_through_a_proxy_other_sites_are_refused_too(behind: tuple[str, str]):
    with Visitor(behind[0], Origin="https://evil.example") as visitor:
        assert visitor.http.post("gradio_api/queue/join", json={"data": []}).status_code == 403


def test_language_models_find_the_endpoints_as_tools_behind_the_door(tmp_path: Path):
    pytest.importorskip("mcp")
    asked = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": asked}
    accepted = {"Accept": "application/json, text/event-stream"}
    with served(tmp_path, Hosting(tools=True)) as (address, _), Visitor(address) as visitor:
        answer = visitor.http.post("gradio_api/mcp/", json=call, headers=accepted)
        assert answer.status_code == 200 and "serverInfo" in answer.text
        assert (
            visitor.http.post("gradio_api/mcp/", json=call, headers={"Origin": "http://e.example"}).status_code == 403
        )


def started(tmp_path: Path, *flags: str) -> subprocess.Popen:
    command = [sys.executable, "app.py", "--model", str(tiny.write(tmp_path)), "--device", "cpu", *flags]
    surroundings = {name: value for name, value in os.environ.items() if name != CACHE}
    return subprocess.Popen(
        command, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_the_command_serves_with_tls_figures_and_a_log_and_cleans_up(tmp_path: Path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    port, figures = free_port(), free_port()
    flags = ["--ssl-keyfile", str(key), "--ssl-certfile", str(certificate), "--port", str(port)]
    running = started(tmp_path, *flags, "--metrics", str(figures), "--log", "json")
    try:
        assert running.stdout.readline() == f"VAR Studio is at https://127.0.0.1:{port}/\n"
        trusted = ssl.create_default_context(cafile=str(certificate))
        trusted.check_hostname = False
        with httpx.Client(base_url=f"https://127.0.0.1:{port}/", verify=trusted, trust_env=False) as client:
            assert client.get("readyz").text == "ok"
        with Visitor(f"https://127.0.0.1:{port}/") as visitor:
            visitor.http = httpx.Client(base_url=f"https://127.0.0.1:{port}/", verify=trusted, trust_env=False)
            assert visitor.fire("prepare")["success"] and visitor.fire("watch")["success"]
            folder = Path(visitor.http.post("gradio_api/upload", files={"files": b"x"}).json()[0]).parents[1]
        told = httpx.get(f"http://127.0.0.1:{figures}/metrics", trust_env=False).text
        assert 'var_studio_runs_total{end="done",run="watch"} 1.0' in told
        assert folder.name.startswith("var-studio-") and folder.stat().st_mode & 0o077 == 0
    finally:
        running.send_signal(signal.SIGTERM)
        _, log = running.communicate(timeout=60)
    assert running.returncode == 0 and not folder.exists()
    assert [line.get("name") for line in map(json.loads, log.splitlines())] == ["watch"]


def test_without_a_network_a_public_link_is_missed_in_a_sentence_and_the_app_goes_on(tmp_path: Path):
    port = free_port()
    nowhere = {"GRADIO_SHARE_SERVER_ADDRESS": f"127.0.0.1:{free_port()}"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**nowhere, "HTTPS_PROXY": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}.items():
            patch.setenv(name, value)
        running = started(tmp_path, "--share", "--port", str(port))
    try:
        assert running.stdout.readline() == f"VAR Studio is at http://127.0.0.1:{port}/\n"
        assert running.stdout.readline().startswith("No public link could be made")
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).text == "ok"
    finally:
        running.terminate()
        running.communicate(timeout=60)
