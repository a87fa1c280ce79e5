"""Pictures of a visit, with files, as tabs give them."""

from pathlib import Path

from var_studio.shared.served_files import fresh_folder
from var_studio.shared.visit_pictures import CREATE, VisitPicture


def kept_in(cache: Path, count: int = 1, tab: str = CREATE, size: int = 10) -> list[VisitPicture]:
    """So many pictures that were made together, in files of so many bytes."""
    found = []
    with fresh_folder(str(cache)) as folder:
        for number in range(count):
            (folder / f"{number}.png").write_bytes(bytes([number]) * size)
    for number in range(count):
        file = folder / f"{number}.png"
        found.append(VisitPicture(tab, str(file), str(file), f"picture {number}", "digest", None, "data:,"))
    return found
