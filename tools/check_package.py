"""Build the wheel and the sdist, install the wheel into a fresh environment, and use it in an empty folder, offline.

python tools/check_package.py            (in the environment of `make test`; `make package` does it)
"""

import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

ROOT = Path(__file__).resolve().parent.parent
MODEL = "flowers-scenes-128"
PACKAGES = {"var_core", "var_studio"}
MOST_MIB = 100  # what PyPI takes
SHELVES = ("examples", "explore_shelf", "ln_examples")  # galleries, of which the first picture is chosen
PATIENCE = 300  # seconds, for each step of the app
# Run in every Python of the installed package: what leaves the machine is refused, and written down.
OFFLINE = """
import os, sys
LOCAL = {"127.0.0.1", "::1", "localhost", "0.0.0.0", "", None}
def refuse(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if (host.decode() if isinstance(host, bytes) else host) not in LOCAL:
        with open(os.environ["VAR_STUDIO_CALLS"], "a") as file:
            file.write(f"{event} {arguments[:2]}\\n")
        raise OSError(f"offline: {host}")
sys.addaudithook(refuse)
"""
# One process for what only reads: each takes seconds until torch is there.
READING = f"""
from var_core.cli import main
assert main(["classes"]) == 0
print("and the list")
assert main(["list"]) == 0
from var_core.inspection.atlas import Atlas, atlas_path
from var_core.weights.checkpoints import find
Atlas.load(atlas_path(find({MODEL!r})))
"""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def call(command: Sequence[object], folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run a command in a folder and return what it writes; what it writes is shown, and ends the check, if it fails."""
    done = subprocess.run([*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}failed with {done.returncode}")
    return done.stdout


def need(met: bool, text: str) -> None:
    """End the check with a sentence unless something is as it has to be."""
    if not met:
        raise SystemExit(text)


def copied(target: Path) -> Path:
    """Copy what git would commit, so that nothing left over by an earlier build gets in."""
    listed = call(["git", "ls-files", "-co", "--exclude-standard", "-z"], ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target


def build(work: Path) -> tuple[Path, Path]:
    """Build a wheel straight, and an sdist with a wheel made of it; return the first and the sdist."""
    source = copied(work / "source")
    command = [sys.executable, "-m", "build", "--no-isolation"]
    call([*command, "--wheel", "--outdir", work / "straight", source], work)
    shutil.rmtree(source / "build", ignore_errors=True)
    call([*command, "--outdir", work / "dist", source], work)
    (straight,), (again,) = (tuple((work / name).glob("*.whl")) for name in ("straight", "dist"))
    (sdist,) = (work / "dist").glob("*.tar.gz")
    need(names_in(straight) == names_in(again), "The wheel made of the sdist holds other files.")
    return straight, sdist


def names_in(wheel: Path) -> list[str]:
    """Return the sorted names of the files in a wheel."""
    with zipfile.ZipFile(wheel) as file:
        return sorted(file.namelist())


def check_files(wheel: Path, sdist: Path) -> None:
    """See that both hold what they should, and neither too much."""
    names = names_in(wheel)
    tops = {name.split("/")[0] for name in names}
    need({top for top in tops if not top.endswith(".dist-info")} == PACKAGES, f"The wheel holds {sorted(tops)}.")
    shipped = [
        *("assets/examples/*", "assets/imagenet/*", "assets/learn/*", "assets/settings/*", "assets/traces/*"),
        f"checkpoints/{MODEL}*",
    ]
    for path in itertools.chain.from_iterable(ROOT.glob(pattern) for pattern in shipped):
        need(f"var_core/shipped/{path.relative_to(ROOT)}" in names, f"The wheel lacks {path}.")
    for path in (*ROOT.glob("var_core/**/*.py"), *ROOT.glob("var_studio/**/*.py"), *files_of("var_studio/static")):
        need(str(path.relative_to(ROOT)) in names, f"The wheel lacks {path}.")
    with tarfile.open(sdist) as file:
        inside = {name.partition("/")[2] for name in file.getnames()}
    for name in ("LICENSE", "README.md", "CHANGELOG.md", "app.py", "pyproject.toml", "requirements.txt"):
        need(name in inside, f"The sdist lacks {name}.")
    need(not any(re.match(r"(tests|runs|\.github|build)/", name) for name in inside), "The sdist holds too much.")
    for path in (wheel, sdist):
        size = path.stat().st_size / 2**20
        need(size < MOST_MIB, f"{path.name} has {size:.0f} MiB: PyPI takes {MOST_MIB}.")
        say(f"{path.name}: {size:.1f} MiB")


def files_of(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).rglob("*") if path.is_file()]


def install(wheel: Path, work: Path) -> Path:
    """Install the wheel into a fresh environment; return the folder of its commands."""
    call([sys.executable, "-m", "venv", "--without-pip", work / "venv"], work)
    programs = work / "venv" / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", programs / "python", "--quiet", "--disable-pip-version-check"]
    call([*pip, "install", "--no-compile", wheel], work)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(call([programs / "python", "-c", where], work).strip())
    need(not {"ui", "app", "app.py", "tests"} & {path.name for path in site.iterdir()}, f"{site} holds too much.")
    return programs


@contextmanager
def served(programs: Path, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The app, as its command serves it; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [programs / "var-studio", "--port", port, "--device", "cpu"]
    address = f"http://127.0.0.1:{port}"
    with open(folder.parent / "served.log", "w+", encoding="utf-8") as log:
        app = subprocess.Popen([*map(str, command)], cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end and app.poll() is None and not answers(address):
                time.sleep(0.5)
            if not answers(address):
                log.seek(0)
                raise SystemExit(f"{log.read()}var-studio does not answer at {address}")
            yield address
        finally:
            app.terminate()
            app.wait()


def answers(address: str) -> bool:
    try:
        return bool(fetched(address))
    except OSError:
        return False


def fetched(address: str, sent: dict | None = None) -> bytes:
    """Return what an address answers, to JSON that is sent if there is any."""
    content = None if sent is None else json.dumps(sent).encode()
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.read()


def check_app(address: str) -> None:
    """Fetch the page, choose an example in every tab, and read the lessons, as a browser would."""
    need(b"VAR Studio" in fetched(address), "The page lacks its title.")
    config = json.loads(fetched(f"{address}/config"))
    by_name = {component["props"].get("elem_id"): component for component in config["components"]}
    for name in SHELVES:
        pictures = by_name[name]["props"]["value"]
        for picture in pictures:
            need(len(fetched(urljoin(address, picture["image"]["url"]))) > 1000, f"{picture} cannot be fetched.")
        shelf = by_name[name]["id"]
        happen(address, next(one for one in selections(config) if one["targets"][0][0] == shelf))
        say(f"{name}: {len(pictures)} pictures, and the first can be chosen")
    measured = by_name["ln_measured"]["id"]
    told = happen(address, next(one for one in selections(config) if measured in one["outputs"]))
    shown = told + "".join(str(component["props"].get("value")) for component in config["components"])
    lessons = sorted((ROOT / "var_studio" / "static" / "lessons").glob("*.html"))
    for path in lessons:
        title = re.match(r"<h2>(.+?)</h2>", path.read_text(encoding="utf-8"))
        need(title is not None and title[1] in shown, f"The page lacks the lesson {path.stem}.")
    say(f"{len(lessons)} lessons")


def selections(config: dict) -> list[dict]:
    """Return what happens in the app when something is selected."""
    return [one for one in config["dependencies"] if [event for _, event in one["targets"]] == ["select"]]


def happen(address: str, wired: dict) -> str:
    """Let something be selected, with nothing given besides that it is the first; return what the app answers."""
    session, (target, _) = f"session-{wired['id']}", wired["targets"][0]
    asked = {"data": [None for _ in wired["inputs"]], "event_data": {"index": 0, "value": None, "selected": True}}
    asked |= {"fn_index": wired["id"], "trigger_id": target, "session_hash": session}
    fetched(f"{address}/gradio_api/queue/join", asked)
    told = fetched(f"{address}/gradio_api/queue/data?session_hash={session}").decode()
    messages = [json.loads(line.removeprefix("data: ")) for line in told.splitlines() if line.startswith("data: ")]
    done = [message for message in messages if message["msg"] == "process_completed"]
    need(bool(done) and done[0]["success"], f"Selecting {wired['targets']} failed: {done or told}")
    return "".join(str(message.get("output")) for message in messages)


def check_commands(programs: Path, folder: Path, environment: dict[str, str]) -> None:
    """Draw a picture, read the classes and the atlas."""
    call([programs / "var-core", "generate", "--class", "lotus", "--seed", "7", "--out", "out"], folder, environment)
    pictures = list((folder / "out").glob("*.png"))
    need(len(pictures) == 1 and pictures[0].read_bytes().startswith(b"\x89PNG"), f"generate wrote {pictures}.")
    classes, listed = call([programs / "python", "-c", READING], folder, environment).split("and the list")
    need("Lotus" in classes, "There is no class Lotus.")
    need(MODEL in listed, f"{MODEL} is not in the list.")


def main() -> None:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="var-studio-") as name:
        work = Path(name)
        wheel, sdist = build(work)
        check_files(wheel, sdist)
        say(f"built and looked through after {time.monotonic() - begun:.0f} s")
        programs = install(wheel, work)
        say(f"installed after {time.monotonic() - begun:.0f} s")
        empty, guard, calls = work / "empty", work / "guard", work / "calls"
        empty.mkdir()
        guard.mkdir()
        (guard / "sitecustomize.py").write_text(OFFLINE, encoding="utf-8")
        environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONHOME")}
        environment |= {"PYTHONPATH": str(guard), "VAR_STUDIO_CALLS": str(calls), "VAR_STUDIO_HOME": str(work / "home")}
        environment |= {"GRADIO_TEMP_DIR": str(work / "cache")}
        check_commands(programs, empty, environment)
        with served(programs, empty, environment) as address:
            check_app(address)
        need(not calls.exists(), f"It tried to leave the machine:\n{calls.read_text() if calls.exists() else ''}")
        need({path.name for path in empty.iterdir()} == {"out"}, "Files were left in the folder it was started in.")
    say(f"The package works: {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
