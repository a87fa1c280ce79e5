"""The endpoints as functions of plain values: requests in, files and plain values out."""

from collections.abc import Iterator

from PIL import Image

from var_core.config import Sampling
from var_core.editing.edit_settings import EditSettings
from var_core.inspection.recording import recorded
from var_core.recipe import slug
from var_core.schema import Fields
from var_core.settings import named, rows

from ..shared import controls
from ..shared import run as runs
from ..shared.events import SKIP, Unchanged, in_words
from ..shared.limits import Limits
from ..shared.run import Run
from ..shared.served_files import fresh_folder
from ..shared.waiting import Ahead
from .values import Pictures, Served, Status, known, status_of, table_of

NAMED = 5  # classes that `classify` names


class Endpoints(Served):
    """The endpoints that programs may call, but for edits. A run yields how far it is, and last the files."""

    def generate(
        self, class_name: str, count: int = 1, seed: int = 0, sampling: Fields | None = None
    ) -> Iterator[tuple[Status, Pictures]]:
        """Draw pictures of a class, scale by scale. Each PNG holds the recipe that makes it again.

        Parameters:
            class_name: name or number of a class that `classes` lists, or "no class"
            count: number of pictures
            seed: seed of the first picture; picture i has the seed + i
            sampling: settings of the draw by name, see `limits`; others are the model's usual ones
        """
        pipe = self.pipe
        with in_words():
            given = {**named(self.running.default_sampling), **known(Sampling, sampling)}
            request = controls.read(pipe.spec, class_name, count, seed, given, most=self.running.limits.pictures)
        for run in runs.after_each_scale(pipe, request):
            yield _of_run(run), runs.pictures(pipe, run)
        with in_words(), fresh_folder(self.cache) as folder:
            done = runs.finish(pipe, run, folder)
        yield {**_of_run(done), "done": True}, list(done.files)

    def encode(self, photo: str) -> tuple[Fields, Image.Image]:
        """Turn the middle square of a picture into token maps, and these into a picture again.

        Parameters:
            photo: the picture's file
        """
        pipe = self.pipe
        with in_words():
            tokens = pipe.encode(_middle(self.files.picture(photo)))
        maps = [level[0].tolist() for level in tokens]
        told = {"model": pipe.spec.name, "digest": pipe.digest, "sides": list(pipe.spec.tokenizer.sides)}
        return {**told, "tokens": maps}, pipe.decode(pipe.summed(tokens))[0]

    def trace(self, class_name: str, seed: int = 0, sampling: Fields | None = None) -> tuple[str, Image.Image]:
        """Draw a picture and record it: tokens, certainty, attention of every scale. The Explore tab opens the file.

        Parameters:
            class_name: name or number of a class that `classes` lists, or "no class"
            seed: seed of the picture
            sampling: settings of the draw by name, see `limits`; others are the model's usual ones
        """
        pipe = self.pipe
        with in_words():
            given = {**named(self.running.default_sampling), **known(Sampling, sampling)}
            request = controls.read(pipe.spec, class_name, 1, seed, given)
            found = recorded(pipe, request)
        name = slug(pipe.spec.class_name(request.labels[0]), "picture")
        with in_words(), fresh_folder(self.cache) as folder:
            file = folder / f"{name}-seed-{request.seeds[0]}.safetensors"
            found.save(file)
        return str(file), Image.fromarray(found.pictures[-1].numpy())

    def classify(self, photo: str) -> list[Fields]:
        """Name the classes that a picture may be of, the likeliest first: those under which its tokens are likeliest.

        Parameters:
            photo: the picture's file
        """
        pipe = self.pipe
        with in_words():
            found = pipe.classify(_middle(self.files.picture(photo)))[:NAMED]
        return [
            {"class": pipe.spec.class_name(one.label), "share": round(one.share, 4), "nats": round(one.nats, 2)}
            for one in found
        ]

    def classes(self) -> list[Fields]:
        """List the classes of the model that is loaded."""
        spec = self.pipe.spec
        groups = spec.class_groups or ("",) * spec.transformer.classes
        return [
            {"label": label, "name": name, "synonyms": list(synonyms), "group": groups[label]}
            for label in range(spec.transformer.classes)
            for name, *synonyms in [spec.names_of(label)]
        ]

    def models(self) -> Fields:
        """Describe the model that is loaded."""
        spec, var = self.pipe.spec, self.pipe.spec.transformer
        return {
            "name": spec.name,
            "digest": self.pipe.digest,
            "pixels": spec.tokenizer.drawn_side,
            "sides": list(spec.tokenizer.sides),
            "classes": var.classes,
            "device": self.pipe.device.type,
            "sampling": named(self.running.default_sampling),
        }

    def limits(self) -> dict[str, list[Fields]]:
        """List what a visitor may ask for, and all settings of draws and edits with their bounds."""
        given = named(self.running.limits)
        limits: list[Fields] = [{"name": row.name, "value": given[row.name], "is": row.help} for row in rows(Limits)]
        return {"limits": limits, "sampling": table_of(Sampling), "settings": table_of(EditSettings)}

    def waiting(self, ahead: Ahead) -> tuple[Status, Unchanged]:
        """Say of a run that has not begun how many are before it, and how many seconds these take, if that is known."""
        seconds = None if ahead.seconds is None else round(ahead.seconds, 1)
        status = {**status_of(0.0, 0.0, ()), "scale": 0, "of": len(self.pipe.schedule)}
        return {**status, "runs_before": ahead.runs, "seconds_before": seconds}, SKIP


def _of_run(run: Run) -> Status:
    """Say how far a run is."""
    last = run.progress.last
    scale = {"scale": last.scale + 1, "of": run.progress.scales}
    return {**status_of(run.progress.fraction, run.seconds, run.request.seeds), **scale}


def _middle(picture: Image.Image) -> Image.Image:
    """Return the square in the middle of a picture."""
    width, height = picture.size
    short = min(height, width)
    left, top = (width - short) // 2, (height - short) // 2
    return picture.crop((left, top, left + short, top + short))
