"""The pictures of all visits, each visit's known by a token that only the visitor's browser holds."""

import secrets
import threading
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from var_core.files import replacing
from var_core.words import counted

from . import served_files
from .limits import MEGABYTE, Limits
from .visit_pictures import GONE, VisitPicture, VisitPictures

REFRESH = 300.0  # seconds after which the files of a visit that goes on are held anew
GUESTS = 1000  # pages whose visit is known


@dataclass
class Visit:
    """The pictures of a visitor, and the sizes of the folders that they lie in, with what else is kept of them."""

    pictures: VisitPictures = ()
    sizes: dict[Path, int] = field(default_factory=dict)  # bytes
    used: float = 0.0
    held: float = 0.0  # when its files were said to stay, the last time
    packed: Path | None = None  # the last ZIP file of chosen ones

    @property
    def nbytes(self) -> int:
        return sum(self.sizes.values())

    def oldest(self) -> Path | None:
        """Return the folder that goes first: favourites last, and never the latest one; None: there is no other."""
        others = list(dict.fromkeys(one.folder for one in self.pictures))[:-1]
        loved = {one.folder for one in self.pictures if one.favourite}
        return min(others, key=lambda folder: folder in loved, default=None)

    def drop(self, folder: Path) -> None:
        """Throw away the pictures of a folder, and their files."""
        self.pictures = tuple(one for one in self.pictures if one.folder != folder)
        self.sizes.pop(folder, None)
        served_files.drop(folder)


class Visits:
    """The pictures of all visits, within the limits of each and of all together. Favourites are the last to go."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic):
        self.limits, self.clock = limits, clock
        self._visits: dict[str, Visit] = {}  # who was here first is first
        self._guests: OrderedDict[str, str] = OrderedDict()  # tokens, by the names under which pages have joined
        self._changing = threading.RLock()

    def welcome(self, token: object, name: str) -> str:
        """Note which visit a page belongs to that has joined under a name; return its token, a new one if need be."""
        with self._changing:
            given = self._known(token) or secrets.token_urlsafe(16)
            if name:
                self._guests[name] = given
                self._guests.move_to_end(name)
            while len(self._guests) > GUESTS:
                self._guests.popitem(last=False)
            return given

    def leave(self, name: str, pictures: Sequence[VisitPicture]) -> None:
        """Keep pictures for the visit of a page that has joined under a name, and is gone."""
        with self._changing:
            if name in self._guests:
                self.add(self._guests[name], pictures)

    def add(self, token: object, pictures: Sequence[VisitPicture]) -> str | None:
        """Keep pictures that were just made, and their files; return the token of their visit, a new one if need be.

        Those that are kept already are not kept twice, and those whose files are gone not at all.
        """
        with self._changing:
            here = [one for one in pictures if Path(one.file).is_file()]
            folders = {one.folder for one in here}
            holder = next((name for name, visit in self._visits.items() if folders & visit.sizes.keys()), None)
            known = self._known(token)
            if not here or holder:
                return known or holder
            name = known or secrets.token_urlsafe(16)
            visit = self._used(name, Visit())
            visit.pictures += tuple(here)
            for folder in folders:
                served_files.hold(folder)
            self._fit(name, visit)
            return name

    def pictures(self, token: object) -> VisitPictures:
        """Return the pictures of a visit; of a token that is not known there are none."""
        with self._changing:
            if not isinstance(token, str) or token not in self._visits:
                return ()
            visit = self._used(token)
            for folder in [folder for folder in visit.sizes if not folder.is_dir()]:
                visit.drop(folder)
            return visit.pictures

    def find(self, token: object, name: object) -> VisitPicture:
        """Return a picture of a visit by its name; ValueError if it is not there."""
        for picture in self.pictures(token):
            if picture.name == name:
                return picture
        raise ValueError(GONE)

    def star(self, token: object, name: str) -> VisitPicture:
        """Make a picture a favourite, or no longer one; return what it is now."""
        with self._changing:
            found = self.find(token, name)
            marked = replace(found, favourite=not found.favourite)
            visit = self._used(str(token))
            visit.pictures = tuple(marked if one is found else one for one in visit.pictures)
            return marked

    def delete(self, token: object, name: str) -> VisitPicture | None:
        """Throw a picture away, and its files with the last of those made with it; return the one beside it.

        ValueError if it is a favourite.
        """
        with self._changing:
            found = self.find(token, name)
            if found.favourite:
                raise ValueError("This picture is a favourite: take its star away before you delete it.")
            visit = self._used(str(token))
            place = visit.pictures.index(found)
            visit.pictures = (*visit.pictures[:place], *visit.pictures[place + 1 :])
            if all(one.folder != found.folder for one in visit.pictures):
                visit.drop(found.folder)
            return visit.pictures[min(place, len(visit.pictures) - 1)] if visit.pictures else None

    def pack(self, token: object, names: Sequence[object], cache: str) -> str:
        """Write pictures, and how each was made, as a ZIP file where files are served from; its path.

        Each once, however often it is named. The visit's last such file goes. ValueError if a picture is not there.
        """
        there = {one.name: one for one in self.pictures(token)}
        wanted = dict.fromkeys(str(name) for name in names)
        if not wanted:
            raise ValueError("No picture is ticked: tick those that you want.")
        if not wanted.keys() <= there.keys():
            raise ValueError(GONE)
        chosen, lines = [there[name] for name in wanted], []
        with served_files.fresh_folder(cache) as folder:
            made = folder / f"{counted(len(chosen), 'picture').replace(' ', '-')}.zip"
            with replacing(made) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:  # PNG: no smaller
                for number, one in enumerate(chosen, 1):
                    inside = f"{number:02d}-{Path(one.file).name}"
                    archive.write(one.file, inside)
                    lines.append(f"{inside}: {one.words}\n")
                archive.writestr("pictures.txt", "".join(lines))
        with self._changing:
            visit = self._used(str(token), Visit())
            if visit.packed and visit.packed != made:
                visit.packed.unlink(missing_ok=True)
            visit.packed = made
        return str(made)

    def _known(self, token: object) -> str | None:
        """Return a token that was given out and not forgotten; None if it is none."""
        given = isinstance(token, str) and (token in self._visits or token in self._guests.values())
        return str(token) if given else None

    def _used(self, name: str, fresh: Visit | None = None) -> Visit:
        """Return a visit, or a fresh one in its place if there is none, which is used now; its files stay."""
        visit = self._visits.pop(name, None) or fresh
        assert visit is not None, "a visit that is known"
        self._visits[name] = visit
        visit.used = now = self.clock()
        if now - visit.held > REFRESH:
            visit.held = now
            for folder in visit.sizes:
                served_files.hold(folder)
        return visit

    def _fit(self, name: str, visit: Visit) -> None:
        """Let go what a visit, and all together, have too much of."""
        visit.sizes = {one.folder: served_files.folder_bytes(one.folder) + one.nbytes for one in visit.pictures}
        limits = self.limits
        while len(visit.pictures) > limits.kept_pictures or visit.nbytes > limits.kept_mb * MEGABYTE:
            if (folder := visit.oldest()) is None:
                break
            visit.drop(folder)
        idle = self.clock() - 60.0 * limits.idle_minutes
        for other, theirs in [(key, each) for key, each in self._visits.items() if key != name]:
            together = sum(each.nbytes for each in self._visits.values())
            many = len(self._visits) > limits.visitors
            if theirs.used < idle or many or together > limits.all_kept_mb * MEGABYTE:
                for folder in list(theirs.sizes):
                    theirs.drop(folder)
                del self._visits[other]
