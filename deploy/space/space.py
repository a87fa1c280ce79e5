"""VAR Studio as a Hugging Face Space: on its own CPU or GPU, or, for drawing, on the GPU that ZeroGPU lends."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace

if "SPACES_ZERO_GPU" in os.environ:
    import spaces  # before torch

import torch

from var_core.config import LoadOptions
from var_core.engine.pipeline import Pipeline
from var_core.engine.progress import Progress
from var_core.engine.request import Request
from var_studio import main as studio
from var_studio.hosting import without_door
from var_studio.hosting.serving import OWN_MACHINE, own_cache
from var_studio.page import theme
from var_studio.shared.heap import prepare_few
from var_studio.shared.limits import PUBLIC
from var_studio.shared.models import Models

LENT_SECONDS = 60  # for which one run may have the GPU
HOST, PORT = "0.0.0.0", 7860  # those of Spaces
# Nobody but the host's own proxies reaches a Space, from private networks: what they append is where a visitor is.
PROXIES = f"{OWN_MACHINE},10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10"


class Lent(Pipeline):
    """A pipeline on the CPU whose requests are drawn by `draw`, somewhere else; all else it does here."""

    draw: Callable[[Request], Iterator[Progress]]

    def stream(self, request: Request, free: int | None = None) -> Iterator[Progress]:  # noqa: ARG002
        """Make the request's pictures, step by step, as `Pipeline.stream` does."""
        request.check(self.spec)
        return self.draw(request)


def on_cpu(progress: Progress) -> Progress:
    """Return the same progress with its tensors where any process can read them."""
    parts = tuple(
        tuple(replace(step, **{name: getattr(step, name).cpu() for name in tensors(step)}) for step in part)
        for part in progress.parts
    )
    return replace(progress, parts=parts)


def tensors(step: object) -> list[str]:
    """Name the fields of a step that hold tensors."""
    return [field.name for field in fields(step) if torch.is_tensor(getattr(step, field.name))]


def lent(device: str, borrow: Callable) -> Lent:
    """Load the model twice: on the CPU for the app, and on a device for the function that `borrow` decorates."""
    drawing = Pipeline.load(options=LoadOptions(device=device))

    @borrow
    def draw(request: Request) -> Iterator[Progress]:
        for progress in drawing.stream(request):
            yield on_cpu(progress)

    pipe = Lent.load(options=LoadOptions(device="cpu"))
    pipe.draw = draw
    return pipe


def main() -> int:
    """Serve the app at the port of Spaces; with ZeroGPU by Gradio's own server, on whose start `spaces` waits."""
    if "SPACES_ZERO_GPU" not in os.environ:
        return studio.main(["--host", HOST, "--port", str(PORT), "--public", "--proxies", PROXIES])
    prepare_few()
    with own_cache():
        running = Models(lent("cuda", spaces.GPU(duration=LENT_SECONDS)), limits=PUBLIC)
        page = studio.page_of(running, choose=False, public=True)
        studio.guard_gradio()
        without_door.launch(page, running, theme.dress(), HOST, PORT, PROXIES)
        page.block_thread()
    return 0


if __name__ == "__main__":
    sys.exit(main())
