"""The published ImageNet models: where their files are, what they need, whether they fit on this machine."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import torch

from ..config import ModelSpec
from ..device_memory import decoder_bytes, free_memory, picture_bytes
from ..files import user_models
from ..published_specs import METRICS, SPECS

REPOSITORY = "FoundationVision/var"
ALIGNED_REPOSITORY = "ChenDRAG/CCA_VAR"  # trained on so that they need no guidance: Chen et al. 2024
TOKENIZER_FILE = "vae_ch160v4096z32.pth"
TOKENIZER_PARAMETERS = 108_948_355
DOWNLOADS = ".downloads"  # folder for files on their way, inside that of the models
WITHOUT_WEIGHTS = 0.5e9  # bytes of memory that the program takes besides a model and its work, roughly


@dataclass(frozen=True)
class Published:
    """A model as its authors published it: two files in a repository of the Hugging Face hub."""

    title: str
    spec: ModelSpec
    file: str  # of the transformer
    parameters: int  # of the transformer
    fid: float  # on ImageNet 50k, without rejection sampling; arXiv 2404.02905, second version, or arXiv 2410.09347
    tokenizer_file: str = TOKENIZER_FILE
    tokenizer_parameters: int = TOKENIZER_PARAMETERS
    repository: str = REPOSITORY  # of the transformer
    tokenizer_repository: str = REPOSITORY
    paper: str = "arXiv 2404.02905"

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def files(self) -> tuple[str, str]:
        """The transformer's file and the tokenizer's."""
        return self.file, self.tokenizer_file

    @property
    def origin(self) -> str:
        """Name the file that its tokenizer was published in: models with the same origin have the same tokenizer."""
        return f"{self.tokenizer_repository}/{self.tokenizer_file}"

    def repository_of(self, file: str) -> str:
        """Return the repository that one of its files is in."""
        return self.tokenizer_repository if file == self.tokenizer_file else self.repository

    @property
    def tokenizer_bytes(self) -> int:
        """Bytes of the tokenizer's file, to within a percent."""
        return 4 * self.tokenizer_parameters

    @property
    def download_bytes(self) -> int:
        """Bytes of both files together, to within a percent: weights in float32, and the constants beside them."""
        return self.disk_bytes + 4 * sum(side**2 for side in self.spec.tokenizer.sides) ** 2

    @property
    def disk_bytes(self) -> int:
        """Bytes of the converted file, to within a percent."""
        return 4 * (self.parameters + self.tokenizer_parameters)

    def memory_bytes(self, dtype: torch.dtype = torch.float32) -> int:
        """Bytes that a device needs for one picture: weights (see `checkpoints.load`), and to draw or to decode it."""
        var = self.spec.transformer
        modulations = 6 * var.width**2 * (1 if var.shared_adaln else var.depth)
        halved = (4 + 2 * var.mlp_ratio) * var.depth * var.width**2 + modulations
        weights = self.disk_bytes - halved * (4 - dtype.itemsize)
        drawing = picture_bytes(self.spec, [side**2 for side in var.sides])
        return weights + max(drawing, decoder_bytes(self.spec))


def _published(name: str, title: str, file: str, parameters: int, fid: float) -> Published:
    return Published(title, SPECS[name], file, parameters, fid)


def _aligned(name: str, fid: float) -> Published:
    """Return the model that a published one became when it learned to do without guidance: half of its time."""
    begun = _PUBLISHED[name]
    spec = replace(begun.spec, name=f"{name}-cca", default_sampling=replace(METRICS, guidance=0.0))
    file = f"CCA_VAR_Guidance_Free/VAR_{name.removeprefix('var-')}_CCA.pth"
    title = f"{begun.title}, without guidance"
    found = Published(title, spec, file, begun.parameters, fid, repository=ALIGNED_REPOSITORY)
    return replace(found, paper="arXiv 2410.09347")


_PUBLISHED = {
    model.name: model
    for model in (
        _published("var-d16", "VAR-d16, ImageNet 256", "var_d16.pth", 310_283_520, 3.30),
        _published("var-d20", "VAR-d20, ImageNet 256", "var_d20.pth", 600_917_136, 2.57),
        _published("var-d24", "VAR-d24, ImageNet 256", "var_d24.pth", 1_033_399_360, 2.09),
        _published("var-d30", "VAR-d30, ImageNet 256", "var_d30.pth", 2_010_020_356, 1.92),
        _published("var-d36-s", "VAR-d36-s, ImageNet 512", "var_d36.pth", 2_353_893_904, 2.63),
    )
}
_ALIGNED = {"var-d16": 4.03, "var-d20": 3.02, "var-d24": 2.63, "var-d30": 2.54}  # FID without guidance
MODELS = _PUBLISHED | {model.name: model for model in (_aligned(*row) for row in _ALIGNED.items())}


def model_named(name: str) -> Published:
    """A published model by its name, in any case; ValueError lists them."""
    found = MODELS.get(name.strip().casefold())
    if found is None:
        raise ValueError(f"There is no published model '{name}'. Choose one of: {', '.join(MODELS)}.")
    return found


def fits(model: Published, folder: Path | None, device: str, there: int = 0) -> list[str]:
    """Say what is too small here for downloading a model to `folder` and drawing on `device`, a sentence each.

    For `there` see `short_of_disk`. Empty: it fits. On "cuda" the transformer's blocks are float16, elsewhere float32,
    as `Pipeline.load` has them.
    """
    dtype = torch.float16 if device == "cuda" else torch.float32
    return [*short_of_disk(model, folder, there), *short_of_memory(model, device, dtype)]


def short_of_disk(model: Published, folder: Path | None, there: int = 0) -> list[str]:
    """Say if there is too little room for the downloaded files beside the converted one; `there` bytes are on disk.

    What is in the folder's downloads already counts as there. No folder: the user's.
    """
    folder = folder or user_models()
    needed = left(model, folder, there) + model.disk_bytes
    free = shutil.disk_usage(_existing(folder)).free
    if free >= needed:
        return []
    has, needs, afterwards = (size_in_words(count) for count in (free, needed, model.disk_bytes))
    return [
        f"{folder} has {has} free, but {model.title} needs {needs} while it is downloaded and converted "
        f"({afterwards} afterwards): make room, or choose another folder or a smaller model."
    ]


def left(model: Published, folder: Path, there: int = 0) -> int:
    """Bytes still to be downloaded, to within a percent, when so many are `there` outside the folder's downloads."""
    places = (place(folder / DOWNLOADS, file) for file in model.files)
    begun = sum(part.stat().st_size for path in places for part in path.parent.glob(f"{path.name}*"))
    return max(0, model.download_bytes - begun - there)


def place(store: Path, file: str) -> Path:
    """Return where a published file lies among the downloads."""
    return store / PurePosixPath(file).name


def short_of_memory(model: Published, device: str, dtype: torch.dtype) -> list[str]:
    """Say if a device has too little memory for one picture."""
    needed = model.memory_bytes(dtype) + (0 if device == "cuda" else int(WITHOUT_WEIGHTS))
    free = free_memory(device)
    if free is None or free >= needed:
        return []
    where = "The GPU" if device == "cuda" else "This machine"
    return [
        f"{where} has {size_in_words(free)} of memory free, but {model.title} needs about {size_in_words(needed)}: "
        "close other programs, or choose a smaller model."
    ]


def size_in_words(count: int | float) -> str:
    """Bytes in words, in powers of ten as disks and downloads are sold: 1.7 GB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} bytes"


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    absolute = folder.absolute()
    return next(path for path in (absolute, *absolute.parents) if path.exists())
