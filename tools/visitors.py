"""Open a photo of 50 megapixels as many visitors at once of an app that is served, and say what that costs.

python tools/visitors.py --visitors 100
"""

import argparse
import json
import secrets
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Start the app, let visitors come, and print the figures as a row of a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--visitors", type=int, default=100)
    options.add_argument("--side", type=int, default=7071, help="pixels along a side of the photo")
    options.add_argument("--port", type=int, default=7999)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        Image.effect_noise((asked.side // 8, asked.side // 8), 60).resize((asked.side, asked.side)).save(photo)
        command = [sys.executable, str(ROOT / "app.py"), "--port", str(asked.port)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            assert server.stdout
            next(line for line in server.stdout if "VAR Studio is at" in line)
            print(measured(server.pid, f"http://127.0.0.1:{asked.port}/gradio_api", photo, asked.visitors))  # noqa: T201
        finally:
            server.terminate()
            server.wait()


def measured(server: int, address: str, photo: Path, visitors: int) -> str:
    """Return a row of a table: visitors, memory of the server before, most, and after in MB, seconds a visitor."""
    config = httpx.get(f"{address.removesuffix('/gradio_api')}/config", timeout=60).json()
    (button,) = [each["id"] for each in config["components"] if each["props"].get("elem_id") == "open"]
    (number,) = [each["id"] for each in config["dependencies"] if [button, "upload"] in each["targets"]]
    before, peak, started = resident(server), 0.0, time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        for answer in pool.map(lambda _: opened(address, photo, number), range(visitors)):
            assert answer["success"], answer["output"]
            peak = max(peak, resident(server))
    seconds = (time.monotonic() - started) / visitors
    return f"| {visitors} | {before:.0f} | {peak:.0f} | {resident(server):.0f} | {seconds:.1f} |"


def opened(address: str, photo: Path, number: int) -> dict[str, object]:
    """Come as a visitor, open the photo, and stay."""
    session = secrets.token_hex(8)
    with httpx.Client(base_url=address, timeout=600) as visitor:
        (path,) = visitor.post("/upload", files={"files": (photo.name, photo.read_bytes())}).json()
        sent = {"path": path, "orig_name": photo.name, "meta": {"_type": "gradio.FileData"}}
        asked = {"data": [sent, None, None], "fn_index": number, "session_hash": session}
        joined = visitor.post("/queue/join", json=asked).raise_for_status().json()["event_id"]
        with visitor.stream("GET", "/queue/data", params={"session_hash": session}) as told:
            for line in told.iter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("event_id") == joined and message["msg"] == "process_completed":
                    return message
    raise AssertionError("the server has not answered")


def resident(process: int) -> float:
    """Return the memory of a process and of its children in MB, without what is shared with files."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return sum(private(number) for number in (str(process), *children)) / 1000


def private(process: str) -> float:
    """Return the memory of one process in kB; 0: it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(float(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))


if __name__ == "__main__":
    main()
