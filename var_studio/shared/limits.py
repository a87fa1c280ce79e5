"""The table of what one visitor may ask for, and all of them together: for an app at home, and in public.

The options of the command line, environment variables and the page's footer are made from it.
"""

from dataclasses import dataclass
from typing import ClassVar

from var_core.settings import Setting, check, declared, rows
from var_core.tables import markdown
from var_core.words import counted

MEGABYTE = 10**6


@dataclass(frozen=True)
class Limits:
    """Limits of an app that only its owner reaches; `PUBLIC` are those of one that strangers reach."""

    PREFIX: ClassVar[str] = "VAR_STUDIO_"  # of environment variables

    # Runs
    pictures: int = declared(16, Setting("Pictures a run", "pictures of one run in Create", low=1, high=16))
    cells: int = declared(64, Setting("Pictures a grid", "pictures of one grid over two settings", low=1, high=400))
    variations: int = declared(8, Setting("Variations an edit", "variations of one edit", low=1, high=8))
    squares: int = declared(1000, Setting("Squares an edit", "squares that one edit may draw", low=1, high=1000))
    waiting: int = declared(
        20, Setting("Runs of a visitor", "runs that one visitor may have begun or waiting", low=1, high=1000)
    )
    queue: int = declared(
        200, Setting("Runs of all", "runs that may be under way or waiting, of all visitors", low=1, high=10_000)
    )

    # Events: all that a page asks for, runs among them; as long as one waits or is answered, it has a place
    events: int = declared(
        6000, Setting("Events a minute", "events that the pages of one address begin in a minute", low=60, high=100_000)
    )
    event_queue: int = declared(
        800, Setting("Events of all", "events of all visitors that wait for a thread", low=20, high=100_000)
    )
    leave_seconds: int = declared(
        600,
        Setting(
            "Seconds after leaving",
            "seconds that a run goes on whose visitor's connection is gone, while nobody else wants the model; 0: none",
            high=3600,
        ),
    )

    # What visitors send
    megapixels: int = declared(50, Setting("Megapixels", "megapixels of a photo, a mask or a picture", low=1, high=50))
    file_mb: int = declared(200, Setting("Megabytes a file", "megabytes of one file", low=1, high=2000))
    uploads: int = declared(10_000, Setting("Uploads an hour", "files that a visitor sends in an hour", high=100_000))
    upload_mb: int = declared(
        20_000, Setting("Megabytes an hour", "megabytes that a visitor sends in an hour", high=1_000_000)
    )
    painted: int = declared(
        1_000_000,
        Setting("Pictures painted", "pictures of canvases that a visitor's page sends in an hour", high=10**7),
    )
    painted_mb: int = declared(
        100_000, Setting("Megabytes painted", "megabytes of these pictures in an hour", high=1_000_000)
    )
    request_kb: int = declared(
        4000, Setting("Kilobytes a request", "kilobytes of a request that is no file", low=16, high=100_000)
    )
    text: int = declared(40_000, Setting("Characters", "characters of one text", low=100, high=1_000_000))
    opening_seconds: int = declared(
        20, Setting("Seconds to open", "seconds that opening one file may take", low=1, high=600)
    )
    opening_waiting: int = declared(
        3, Setting("Files of a visitor", "files that one visitor may have waiting to be opened", low=1, high=100)
    )
    opening_queue: int = declared(
        12, Setting("Files of all", "files of all visitors that may wait to be opened", low=1, high=1000)
    )
    opening_mb: int = declared(
        2000, Setting("Memory to open", "megabytes of memory that opening one file may take", low=256, high=64_000)
    )

    # What visitors are told
    host_paths: bool = declared(True, Setting("Paths", "lines to copy may say where on this machine a model lies"))

    # What is kept
    visitors: int = declared(100, Setting("Visitors", "visitors whose work is kept at once", low=1, high=100_000))
    work_minutes: int = declared(
        10,
        Setting("Minutes at work", "minutes after an event for which nobody takes a visitor's place", low=1, high=1000),
    )
    visitor_mb: int = declared(
        2000,
        Setting(
            "Memory a visitor", "megabytes kept for one visitor in each tab, besides what he is at", low=16, high=64_000
        ),
    )
    all_mb: int = declared(
        4000, Setting("Memory of all", "megabytes of memory kept for all visitors", low=64, high=1_000_000)
    )
    kept_pictures: int = declared(
        200, Setting("Pictures of a visit", "pictures of a visit that are kept", low=1, high=1000)
    )
    kept_mb: int = declared(
        1000, Setting("Files of a visit", "megabytes kept of a visit's pictures", low=1, high=64_000)
    )
    all_kept_mb: int = declared(
        4000, Setting("Files of all visits", "megabytes kept of all visits' pictures", low=1, high=1_000_000)
    )
    canvas_mb: int = declared(
        200,
        Setting(
            "Canvases of a visitor", "megabytes of a visitor's canvases that wait for their event", low=32, high=64_000
        ),
    )
    all_canvas_mb: int = declared(
        800, Setting("Canvases of all", "megabytes of all visitors' canvases that wait", low=64, high=1_000_000)
    )
    address_percent: int = declared(
        25,
        Setting("Share of an address", "per cent of the room for all that one address may take up", low=1, high=100),
    )
    idle_minutes: int = declared(
        24 * 60, Setting("Idle minutes", "minutes after which an idle visitor's work and files go", low=1, high=100_000)
    )

    # Connections
    connections: int = declared(1000, Setting("Connections", "connections of one address at once", low=4, high=100_000))
    passwords: int = declared(
        10, Setting("Wrong passwords", "wrong passwords in a row before an address has to wait", low=1, high=1000)
    )
    locked_minutes: int = declared(5, Setting("Locked minutes", "minutes that it then has to wait", low=1, high=10_000))

    def __post_init__(self) -> None:
        check(self)

    @property
    def visitor_bytes(self) -> int:
        """Bytes that are kept for one visitor, at most, in each tab, besides what he is at."""
        return self.visitor_mb * 10**6


def table() -> str:
    """Return all limits, at home and in public, as a table in Markdown."""
    cells = [(f"`{row.name}`", row.help, row.default, getattr(PUBLIC, row.name)) for row in rows(Limits)]
    return markdown(("limit", "", "at home", "in public"), cells)


def foot(limits: Limits, under_way: int = 0, waiting: int = 0) -> str:
    """Say on one line, as HTML, what a visitor meets first of some limits, and how many runs there are."""
    each = (
        f"{counted(limits.pictures, 'picture')} a run",
        f"{counted(limits.variations, 'variation')} and {counted(limits.squares, 'square')} an edit",
        f"{counted(limits.waiting, 'run')} waiting",
        f"photos of {limits.megapixels} megapixels and {limits.file_mb} MB",
        f"{counted(limits.uploads, 'file')} and {limits.upload_mb:,} MB an hour",
        f"work kept for {counted(limits.idle_minutes, 'minute')} of rest",
    )
    busy = f"{counted(under_way, 'run')} under way, {waiting} waiting, when this page was opened"
    return f"<p>For each visitor at most: {' · '.join(each)}. {busy}.</p>"


HOME = Limits()
PUBLIC = Limits(
    pictures=8,
    cells=16,
    variations=4,
    squares=24,
    waiting=3,
    queue=40,
    events=600,
    event_queue=300,
    leave_seconds=60,
    host_paths=False,
    megapixels=25,
    file_mb=30,
    uploads=120,
    upload_mb=500,
    painted=20_000,  # one stroke is a dozen, and all are small
    painted_mb=6000,
    request_kb=1000,
    text=40_000,  # a line that is drawn around something has 2000 points
    opening_seconds=5,
    opening_mb=1000,
    visitors=200,
    visitor_mb=100,
    all_mb=1500,
    kept_pictures=60,
    kept_mb=100,
    all_kept_mb=2000,
    canvas_mb=40,
    all_canvas_mb=400,
    idle_minutes=60,
    connections=32,
    passwords=5,
    locked_minutes=15,
)
