"""A real server answers programs: every example of the page about it runs, and nothing else can be called by name."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client
from PIL import Image
from support import tiny

from var_core.engine.request import Request
from var_core.settings import rows
from var_studio import main as app
from var_studio.api.page import TABLES
from var_studio.shared import copying

DOCS = (Path(app.__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
ENDPOINTS = ["generate", "edit", "extend", "encode", "trace", "classify", "classes", "models", "limits"]
USUAL = "http://127.0.0.1:7860"


def blocks(language: str) -> dict[str, str]:
    """Return the examples in a language, by the heading that they stand under."""
    found = {}
    for section in re.split(r"^## ", DOCS, flags=re.MULTILINE)[1:]:
        if example := re.search(rf"^```{language}\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
            found[section.partition("\n")[0]] = example[1]
    return found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the app is served over the tiny model, tools for language models included."""
    page = app.build(tiny.pipeline())
    page.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, ssr_mode=False, mcp_server=True)
    try:
        yield page.local_url.rstrip("/")
    finally:
        page.close()


@pytest.fixture
def photos(tmp_path, monkeypatch) -> None:
    """A photo and a mask, where the examples look for them."""
    monkeypatch.chdir(tmp_path)
    Image.effect_noise((60, 40), 60).convert("RGB").save("photo.jpg")
    painted = np.zeros((40, 60), np.uint8)
    painted[10:30, 20:40] = 255
    Image.fromarray(painted).save("mask.png")


def shell(text: str) -> subprocess.CompletedProcess[str]:
    """Run lines of a shell, which must not fail."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.run(["sh", "-ec", text], capture_output=True, text=True, timeout=60, env=environment, check=True)


def test_the_page_has_an_example_of_every_endpoint_in_both_languages():
    for language in ("python", "sh"):
        found = {name for heading in blocks(language) for name in heading.split(", ")}
        assert found == set(ENDPOINTS)


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("heading", blocks("python"))
def test_the_python_examples_run(address, heading):
    said: list[tuple[object, ...]] = []
    names = {"print": lambda *values: said.append(values)}
    exec(compile(blocks("python")[heading].replace(USUAL, address), heading, "exec"), names)
    assert said or heading in ("extend", "trace", "classes, models, limits")


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("heading", blocks("sh"))
def test_the_examples_for_plain_http_run(address, heading):
    done = shell(blocks("sh")[heading].replace(USUAL, address))
    assert "event: complete" in done.stdout
    assert "event: error" not in done.stdout


def test_what_is_copied_for_curl_makes_the_same_picture(address, tmp_path):
    pipe = tiny.pipeline()
    request = Request((1, 1), (7, 8), replace(pipe.spec.default_sampling, guidance=1.5))
    done = shell(copying.curl(pipe, request).replace(copying.ADDRESS, address))
    (found,) = re.findall(r"event: complete\ndata: (.*)", done.stdout)
    for shown, image in zip(json.loads(found)[1], pipe.run(request).images, strict=True):
        (tmp_path / "made.png").write_bytes(httpx.get(shown["image"]["url"]).content)
        assert (np.asarray(Image.open(tmp_path / "made.png")) == np.asarray(image)).all()


def test_programs_see_the_endpoints_and_nothing_else(address):
    told = httpx.get(f"{address}/gradio_api/info").json()
    assert list(told["named_endpoints"]) == [f"/{name}" for name in ENDPOINTS] and not told["unnamed_endpoints"]
    for name, endpoint in told["named_endpoints"].items():
        assert endpoint["description"].endswith(".") and name != "/"


@pytest.mark.parametrize(("label", "kind"), TABLES.items())
def test_programs_are_told_each_setting_with_its_type_and_bounds(address, label, kind):
    endpoints = httpx.get(f"{address}/gradio_api/info").json()["named_endpoints"].values()
    found = [taken["type"] for each in endpoints for taken in each["parameters"] if taken["label"] == label]
    assert found and all(taken == found[0] for taken in found)
    for row in rows(kind):
        told = found[0]["properties"][row.name]
        assert told["type"] == {float: "number", int: "integer", bool: "boolean", str: "string"}[row.kind]
        assert (told["title"], told["description"], told.get("enum", [])) == (row.label, row.help, list(row.choices))
        assert ("minimum" in told) == (row.kind in (int, float))
    assert len(found[0]["properties"]) == len(rows(kind))


def test_pictures_come_scale_by_scale_and_a_wrong_class_in_a_sentence(address):
    client = Client(address, verbose=False)
    seen = [status["fraction"] for status, _ in client.submit("Lotus", 1, 3, {}, api_name="/generate")]
    assert seen == sorted(seen) and len(seen) == 5
    with pytest.raises(Exception, match="There is no class 'Lotos'"):
        client.predict("Lotos", api_name="/generate")


def test_language_models_get_tools_with_descriptions_and_a_picture(address):
    asyncio, mcp = pytest.importorskip("asyncio"), pytest.importorskip("mcp")
    http = pytest.importorskip("mcp.client.streamable_http")

    async def ask() -> tuple[dict[str, str], str]:
        async with http.streamablehttp_client(f"{address}/gradio_api/mcp/") as (reading, writing, _):
            async with mcp.ClientSession(reading, writing) as session:
                await session.initialize()
                tools = {tool.name: tool.description for tool in (await session.list_tools()).tools}
                drawn = await session.call_tool(
                    "generate", {"class_name": "Lotus", "seed": 4, "sampling": {"top_k": 9}}
                )
                return tools, drawn.content[0].text

    tools, drawn = asyncio.run(ask())
    assert list(tools) == ENDPOINTS and all(tools.values())
    assert "lotus-seed-4.png" in drawn
