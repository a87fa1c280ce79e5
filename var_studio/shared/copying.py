"""Texts that make a picture again, for a visitor to copy: a link, a command line, Python, calls of curl. No widgets."""

import json
import shlex
from html import escape

from var_core.config import AUTO, Sampling
from var_core.engine.pipeline import INT8, Pipeline
from var_core.engine.request import Request
from var_core.settings import Setting, Value, rows
from var_core.weights import checkpoints

from . import controls

ADDRESS = "ADDRESS"  # of the app, which the page knows and puts there
EXACT = 2**53  # JSON's numbers are whole up to here
EVENT = r"""sed 's/.*"event_id":"\([^"]*\)".*/\1/'"""


def copy_buttons(pipe: Pipeline, request: Request, host_paths: bool = True) -> str:
    """Buttons that copy how the pictures of a request are made again; see `static/scripts/page/copying.js`.

    Without `host_paths` nothing tells where on this machine the model lies.
    """
    offered = (
        ("link", "Copy link", controls.link(pipe.spec, request)),
        ("text", "Copy command", command_line(pipe, request, host_paths)),
        ("text", "Copy Python", python(pipe, request, host_paths)),
        ("curl", "Copy curl", curl(pipe, request)),
    )
    return "".join(
        f'<button type="button" class="copy" data-copy-{kind}="{escape(what)}">{words}</button>'
        for kind, words, what in offered
        if what
    )


def command_line(pipe: Pipeline, request: Request, host_paths: bool = True) -> str:
    """Return the command line that makes pictures again; settings at the model's default are left out."""
    asked = controls.show(pipe.spec, request)
    words = ["python", "-m", "var_core", "generate", "--model", _called(pipe, host_paths)]
    words += [word for name, value in _loading(pipe) for word in (f"--{name}", value)]
    words += [word for name in (asked.class_name, *asked.also) for word in ("--class", name)]
    words += ["--seed", asked.seed, *(["--count", str(asked.count)] if asked.count > 1 else [])]
    for row, value in _changed(pipe, request):
        words += _option(row, value)
    return shlex.join(words)


def python(pipe: Pipeline, request: Request, host_paths: bool = True) -> str:
    """Return lines of Python that make the pictures of a request again."""
    changes = "".join(f", {row.name}={value!r}" for row, value in _changed(pipe, request))
    sampling = f"replace(pipe.spec.default_sampling{changes})" if changes else "pipe.spec.default_sampling"
    imports = ["from dataclasses import replace", ""] if changes else []
    loading = ", ".join(f"{name}={value!r}" for name, value in _loading(pipe))
    if loading:
        imports.append("from var_core.config import LoadOptions")
    called = repr(_called(pipe, host_paths))
    what = f"{called}, LoadOptions({loading})" if loading else called
    names = [pipe.spec.class_name(label) for label in dict.fromkeys(request.labels)]
    if len(request.labels) == 1:
        asking = [
            f"label = pipe.spec.label({names[0]!r})",
            f"request = Request((label,), ({request.seeds[0]},), {sampling})",
            'pipe.run(request).images[0].save("picture.png")',
        ]
    else:
        count = len(request.labels) // len(names)
        asking = [
            f"labels = [pipe.spec.label(name) for name in {names!r} for _ in range({count})]",
            f"request = Request(tuple(labels), {request.seeds[:count]} * {len(names)}, {sampling})",
            "for number, picture in enumerate(pipe.run(request).images, 1):",
            '    picture.save(f"picture-{number}.png")',
        ]
    return "\n".join(
        [
            *imports,
            "from var_core.engine.pipeline import Pipeline",
            "from var_core.engine.request import Request",
            "",
            f"pipe = Pipeline.load({what})",
            *asking,
            "",
        ]
    )


def curl(pipe: Pipeline, request: Request) -> str:
    """Return two calls of curl with which a running app makes the pictures of a request again; see docs/api.md.

    Nothing for pictures of several classes, and for seeds that are no plain numbers: that endpoint takes none such.
    """
    asked = controls.show(pipe.spec, request)
    if asked.also or not asked.seed.isdecimal() or int(asked.seed) >= EXACT:
        return ""
    changed = {row.name: value for row, value in _changed(pipe, request)}
    data = json.dumps({"data": [asked.class_name, asked.count, int(asked.seed), changed]})
    call = f"curl -s {ADDRESS}/gradio_api/call/generate"
    return (
        f'EVENT=$({call} -H "Content-Type: application/json" -d {shlex.quote(data)} | {EVENT})\n'
        f"curl -sN {ADDRESS}/gradio_api/call/generate/$EVENT\n"
    )


def _called(pipe: Pipeline, host_paths: bool) -> str:
    """Return the name by which the model is loaded, or its path where that name means none or another one."""
    if pipe.path is None or not host_paths:
        return pipe.spec.name
    try:
        found = checkpoints.find(pipe.path.stem)
    except ValueError:
        return str(pipe.path)
    return pipe.path.stem if found.resolve() == pipe.path.resolve() else str(pipe.path)


def _loading(pipe: Pipeline) -> list[tuple[str, str]]:
    """Return how the model was loaded, where that changes its pictures; int8 is for the CPU alone."""
    dtype = pipe.options.dtype
    if dtype == AUTO.dtype:
        return []
    return [*([("device", "cpu")] if dtype == INT8 else []), ("dtype", dtype)]


def _changed(pipe: Pipeline, request: Request) -> list[tuple[Setting, Value]]:
    """Return the settings that are not at the model's default, and their values."""
    usual, asked = pipe.spec.default_sampling, request.sampling
    pairs = [(row, getattr(asked, row.name)) for row in rows(Sampling)]
    return [(row, value) for row, value in pairs if value != getattr(usual, row.name)]


def _option(row: Setting, value: Value) -> list[str]:
    if row.kind is bool:
        return [row.flag if value else row.flag.replace("--", "--no-", 1)]
    return [row.flag, str(value)]
