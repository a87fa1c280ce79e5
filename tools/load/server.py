"""The app as a process of its own, and what it takes of memory and disk."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """A served app, its address and the folder of its visitors' files."""

    def __init__(self, process: "subprocess.Popen[str]", address: str, folder: Path):
        self.process, self.address, self.folder = process, address, folder

    def megabytes(self) -> float:
        """Return its memory and that of its own processes, without what is shared with files."""
        return sum(map(private, self._processes())) / 1000

    def processor_seconds(self) -> float:
        """Return the seconds of a core that it and its own processes have taken, those that have ended included."""
        return sum(map(spent, self._processes()))

    def _processes(self) -> list[str]:
        """List its number and those of its own processes."""
        number = self.process.pid
        return [str(number), *Path(f"/proc/{number}/task/{number}/children").read_text().split()]

    def files(self) -> int:
        """Count the files that lie in the folder of visitors' files, while the server may delete some."""
        return sum(len(files) for _, _, files in os.walk(self.folder))


def private(process: str) -> float:
    """Return the memory of one process in kB; 0: it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))


def spent(process: str) -> float:
    """Return the seconds of a core that one process, and those of its own that have ended, took; 0: it has ended."""
    try:
        figures = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, figures[11:15])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(model: str | None, *flags: str) -> Iterator[Server]:
    """Serve the app with a model and flags."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "app.py"), "--port", str(port), *flags]
        around = {**os.environ, "GRADIO_TEMP_DIR": folder}
        process = subprocess.Popen(
            [*command, *(["--model", model] if model else [])], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=around
        )
        try:
            assert process.stdout
            if not any("VAR Studio is at" in line for line in process.stdout):
                raise SystemExit("The app did not start.")
            yield Server(process, f"http://127.0.0.1:{port}", Path(folder))
        finally:
            process.terminate()
            process.wait()
