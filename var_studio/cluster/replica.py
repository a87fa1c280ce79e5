"""A replica draws: it holds models, joins requests that can be drawn together, and sends back step after step."""

import asyncio
import importlib
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from var_core.config import LoadOptions, Sampling
from var_core.engine.pipeline import Pipeline, use_threads
from var_core.engine.request import Request
from var_core.engine.sampling import Step
from var_core.weights.checkpoints import file_digest, places

MODELS = 2  # that a replica holds at once
WAIT = 0.01  # seconds for other requests to come along


@dataclass(frozen=True)
class ModelFile:
    """A model as the app has it: the path of its file there, and its digest, by which each machine finds its own file.

    As text it is the name by which replicas tell models apart.
    """

    path: str
    digest: str

    def to_text(self) -> str:
        """Return it as text; `from_text` reads it."""
        return json.dumps([self.path, self.digest])

    @classmethod
    def from_text(cls, text: str) -> "ModelFile":
        """Read what `to_text` has written."""
        return cls(*json.loads(text))

    def here(self, folder: Path | None = None) -> Path:
        """Return the file on this machine: at the same path, or of the same name in `folder` or the `places`.

        ValueError, which names the model and not its path, if none of these has the digest.
        """
        same, others = Path(self.path), []
        for path in (same, *(place / same.name for place in places(folder))):
            if not path.is_file():
                continue
            with suppress(ValueError):  # a damaged file is none
                others.append(file_digest(path))
                if others[-1] == self.digest:
                    return path
        has = f"another {same.stem} ({', '.join(others)})" if others else f"no {same.stem}"
        raise ValueError(
            f"A worker has {has}: each machine needs the app's file ({self.digest}), at the same path or in its own "
            "folder for models."
        )


@dataclass(eq=False)
class WaitingRequest:
    """A request that somebody waits for, until he has `gone`."""

    pipe: Pipeline
    request: Request
    gone: bool = False


@dataclass(eq=False)
class Together:
    """Jobs whose pictures are drawn in one pass, and the steps of that."""

    jobs: list[WaitingRequest]
    steps: Iterator[Step] = field(init=False)

    def __post_init__(self) -> None:
        first, requests = self.jobs[0], [job.request for job in self.jobs]
        labels = tuple(label for request in requests for label in request.labels)
        seeds = tuple(seed for request in requests for seed in request.seeds)
        joined = requests[0] if len(requests) == 1 else Request(labels, seeds, requests[0].sampling)
        self.steps = first.pipe.steps(joined)

    def next(self) -> Sequence[Step | None]:
        """Draw the next scale; each job's part of it, or nothing where all is drawn, or nobody waits any more."""
        step = None if all(job.gone for job in self.jobs) else next(self.steps, None)
        if step is None:
            return [None] * len(self.jobs)
        counts = [len(job.request.labels) for job in self.jobs]
        parts = (part.cpu().split(counts) for part in (step.tokens, step.keep, step.f_hat))
        return [
            replace(step, tokens=tokens.clone(), keep=keep.clone(), f_hat=f_hat.clone(), distribution=None)
            for tokens, keep, f_hat in zip(*parts, strict=True)
        ]


def grouped(jobs: Sequence[WaitingRequest]) -> list[Together]:
    """Return jobs in groups that are drawn in one pass: of one model, drawn alike, from nothing, as memory allows."""
    groups: list[list[WaitingRequest]] = []
    for job in jobs:
        fitting = (group for group in groups if _fits(group, job))
        group = next(fitting, None)
        if group is None:
            groups.append([job])
        else:
            group.append(job)
    return [Together(group) for group in groups]


def _fits(group: Sequence[WaitingRequest], job: WaitingRequest) -> bool:
    first, request = group[0], job.request
    if first.pipe is not job.pipe or first.request.plan is not None or request.plan is not None:
        return False
    if first.request.sampling != request.sampling:
        return False
    labels = [label for one in (*group, job) for label in one.request.labels]
    joined = Request(tuple(labels), (0,) * len(labels), Sampling(guidance=request.sampling.guidance))
    return job.pipe.at_once(joined) == len(labels)


def application(
    options: LoadOptions,
    folder: Path | None,
    threads: int,
    scaling: Mapping[str, object] | int,
    most_together: int = 8,
    actor: Mapping[str, object] | None = None,
) -> object:
    """Return the application for `serve.run`: replicas in so many processes, or as many as `scaling` says."""
    serve: Any = importlib.import_module("ray.serve")  # its types do not know methods of classes

    class Replica:
        """Models that draw, in a process of their own."""

        def __init__(self) -> None:
            use_threads(threads)
            self.busy = self.scales = 0

        async def told(self) -> dict[str, int]:
            """Tell which process this is, how many runs it draws, and how many scales it has drawn in all."""
            return {"process": os.getpid(), "busy": self.busy, "scales": self.scales}

        @serve.multiplexed(max_num_models_per_replica=MODELS)
        async def model(self, name: str) -> Pipeline:
            """Load a model, or give the one that is loaded."""
            path = await asyncio.to_thread(ModelFile.from_text(name).here, folder)
            return await asyncio.to_thread(Pipeline.load, str(path), options, folder)

        async def stream(self, request: Request) -> AsyncIterator[Step]:
            """Draw a request, scale by scale."""
            job = WaitingRequest(await self.model(serve.get_multiplexed_model_id()), request)
            self.busy += 1
            try:
                async for step in self.drawn(job):
                    if step is None:
                        return
                    yield step
            finally:
                self.busy -= 1
                job.gone = True

        @serve.batch(max_batch_size=most_together, batch_wait_timeout_s=WAIT)
        async def drawn(self, jobs: list[WaitingRequest]) -> AsyncIterator[list[Step | None]]:
            """Draw several jobs at once; each gets nothing once it is done."""
            groups = grouped(jobs)
            while True:
                found: dict[WaitingRequest, Step | None] = {}
                for group in groups:
                    steps = await asyncio.to_thread(group.next)
                    self.scales += any(steps)
                    found |= dict(zip(group.jobs, steps, strict=True))
                yield [found[job] for job in jobs]
                if not any(found.values()):
                    return

    wanted: dict[str, Any] = {"num_replicas": scaling} if isinstance(scaling, int) else {"autoscaling_config": scaling}
    deployed = serve.deployment(max_ongoing_requests=2 * most_together, ray_actor_options=actor or {}, **wanted)
    return deployed(Replica).bind()
