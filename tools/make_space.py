"""Put together the folder of a Hugging Face Space: the app, what ships with it, and the files of deploy/space.

python tools/make_space.py space             (for CPU basic; --gpu for a GPU or ZeroGPU)
"""

import argparse
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CPU = "--extra-index-url https://download.pytorch.org/whl/cpu\n"
SHIPPED = ("checkpoints/flowers-scenes-128.*", "requirements.txt", "LICENSE", "deploy/space/*")
FOLDERS = ("var_core", "var_studio", "assets")


def make(folder: Path, gpu: bool = False) -> None:
    """Write the folder, which must not be there yet; without a GPU its torch is the smaller one."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (path for pattern in SHIPPED for path in ROOT.glob(pattern) if path.is_file()):
        place = folder / (path.name if path.parent.name == "space" else path.relative_to(ROOT))
        place.parent.mkdir(exist_ok=True)
        shutil.copy(path, place)
    needed = folder / "requirements.txt"
    lines = needed.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = "".join(line for line in lines if not line.startswith("gradio"))  # the Space brings it: sdk_version
    needed.write_text(kept if gpu else CPU + kept, encoding="utf-8")


def main() -> int:
    """Make the folder that the command line names; 2 if it is there already."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("folder", type=Path)
    flags.add_argument("--gpu", action="store_true", help="torch with CUDA")
    options = flags.parse_args()
    if options.folder.exists():
        sys.stderr.write(f"{options.folder} is there already: name a new folder.\n")
        return 2
    make(options.folder, options.gpu)
    sys.stdout.write(f"{options.folder} is ready to be uploaded.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
