"""Many visitors at once, or one for long: what they do, and the table of how the server bears it."""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from var_core.engine.pipeline import Pipeline

from .acts import MIX, Made, Visit
from .loop import again
from .person import Page, Person
from .server import Server

CHECKED = ("create", "edit", "explore")  # what these make is made again
TICK = 2.0  # seconds between two looks at the server's memory


@dataclass
class Tally:
    """Outcome of a crowd."""

    made: list[Made] = field(default_factory=list)
    seconds: float = 0.0  # from the first act to the end of the last one
    before: float = 0.0  # MB of the server
    peak: float = 0.0
    after: float = 0.0
    files_left: int = 0
    wrong: list[str] = field(default_factory=list)
    loop_seconds: float = 0.0  # of the same acts in a plain loop
    worked: tuple[float, float, float] = (0.0, 0.0, 0.0)  # seconds of a core: the server, the visitors, the plain loop
    waits: list[float] = field(default_factory=list)  # seconds of runs of pictures until they were drawn

    @property
    def errors(self) -> Counter[str]:
        return Counter(one.told.error for one in self.made if one.told.error)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield the rows of a table: what, and how much."""
        acts = Counter(one.act for one in self.made)
        yield "done", ", ".join(f"{acts[act]} {act}" for act in MIX if acts[act])
        yield "errors", str(sum(self.errors.values()) or "none")
        yield from ((f"error: {text[:100]}", str(count)) for text, count in self.errors.items())
        checked = sum(len(one.files) for one in self.made if one.act in CHECKED)
        yield "results that are not what their recipes say", f"{len(self.wrong)} of {checked}"
        yield from ((f"not what its recipe says: {told}", "1") for told in self.wrong)
        if self.waits:
            mean = statistics.mean(self.waits)
            yield "waiting for a run of pictures, mean and longest", f"{mean:.1f} s, {max(self.waits):.1f} s"
            yield "longest wait against the mean", f"{max(self.waits) / mean:.2f}"
        if self.loop_seconds:
            yield "seconds served, and in a plain loop", f"{self.seconds:.0f}, {self.loop_seconds:.0f}"
            yield "throughput against a plain loop", f"{100 * self.loop_seconds / self.seconds:.0f} %"
            told = ", ".join(f"{seconds:.0f}" for seconds in self.worked)
            yield "seconds of a core: the server, the visitors, the plain loop", told
        yield "memory before, at most, and after, MB", f"{self.before:.0f}, {self.peak:.0f}, {self.after:.0f}"
        yield "files left when all had been idle for long enough", str(self.files_left)


def crowd(server: Server, visitors: int, minutes: float, folder: Path) -> Tally:
    """Let visitors come at once, and do one act after another for so many minutes."""
    tally = Tally()
    page = warmed_up(server, folder)
    tally.before = server.megabytes()
    until = time.monotonic() + 60 * minutes

    def visit(number: int) -> list[Made]:
        done = []
        with Person(server.address, page) as person:
            visit = Visit(person, folder / f"visitor-{number}", seed=number)
            while time.monotonic() < until:
                done.append(visit.do())
        return done

    began, server_before, visitors_before = time.monotonic(), server.processor_seconds(), time.process_time()
    with ThreadPoolExecutor(visitors) as pool:
        going = [pool.submit(visit, number) for number in range(visitors)]
        while not all(one.done() for one in going):
            tally.peak = max(tally.peak, server.megabytes())
            time.sleep(TICK)
        for one in going:
            tally.made += one.result()
            later = one.result()[1:]  # at first nobody was before them
            tally.waits += [made.told.waited for made in later if made.act == "create" and made.told.began]
    tally.seconds = time.monotonic() - began
    tally.worked = server.processor_seconds() - server_before, time.process_time() - visitors_before, 0.0
    return tally


def alone(server: Server, runs: int, folder: Path, every: int) -> Iterator[tuple[int, float, Made]]:
    """Let one visitor do so many acts; yield after each its number, the server's memory in MB, and what it made.

    Memory is looked at after `every` so many; between these it is 0.
    """
    with Person(server.address, warmed_up(server, folder)) as person:
        visit = Visit(person, folder / "one", seed=0)
        for number in range(1, runs + 1):
            made = visit.do()
            yield number, 0.0 if number % every else server.megabytes(), made


def warmed_up(server: Server, folder: Path) -> Page:
    """Do each act once as somebody who leaves; return the page."""
    with Person(server.address) as person:
        first = Visit(person, folder / "first", seed=1)
        for act in MIX:
            made = first.do(act)
            assert not made.told.error, f"{act}: {made.told.error}"
        return person.page


def settled(server: Server, idle_minutes: float) -> tuple[float, int]:
    """Wait until all that visitors have left must be gone; return what is left: the server's MB, and files."""
    until = time.monotonic() + 60 * (idle_minutes + 2.5)
    while time.monotonic() < until and server.files():
        time.sleep(TICK)
    return server.megabytes(), server.files()


def checked(tally: Tally, pipe: Pipeline) -> None:
    """Make again, in a plain loop, what the crowd has made: of what was stopped or left, so many scales."""
    before = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for made in tally.made:
            if (made.act not in CHECKED or made.files) and not made.told.error:
                seconds, wrong = again(pipe, made, Path(folder))
                tally.loop_seconds += seconds
                tally.wrong += [f"{made.act}: {told}" for told in wrong]
    tally.worked = *tally.worked[:2], time.process_time() - before
