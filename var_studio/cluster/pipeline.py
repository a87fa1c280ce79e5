"""A pipeline whose pictures are drawn by replicas; all else it does itself."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from var_core.config import AUTO, LoadOptions
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.engine.sampling import Step
from var_core.weights.checkpoints import SUFFIX, LoadedModel

from .replica import ModelFile, application

NAME = "var-studio"  # of the application in the cluster
PATIENCE = 120.0  # seconds that a run waits for its next scale, or for a replica when the one that drew it is gone
PAUSE = 0.5
GONE = "Nobody is there to draw: all workers are gone. Try again in a moment; they are started anew by themselves."


@dataclass(frozen=True)
class Cluster:
    """Replicas, to which requests are sent through a `handle` of Ray Serve."""

    handle: Any
    most: int = 1  # of the replicas
    patience: float = PATIENCE

    @classmethod
    def start(
        cls,
        replicas: tuple[int, int],
        options: LoadOptions = AUTO,
        folder: Path | None = None,
        address: str | None = None,
        threads: int = 1,
    ) -> "Cluster":
        """Start as few to as many replicas as said, in a running cluster or a new one on this machine.

        ValueError if Ray is not installed, or the cluster cannot be reached.
        """
        try:
            import ray
            from ray import serve
        except ImportError as error:
            raise ValueError("--backend ray needs Ray: pip install 'var-studio[ray]'.") from error
        try:
            ray.init(address, ignore_reinit_error=True, include_dashboard=False, log_to_driver=False)
        except (ConnectionError, RuntimeError) as error:
            raise ValueError(f"There is no cluster at {address} ({error}): start one, or choose another.") from error
        least, most = replicas
        scaling = {"min_replicas": least, "max_replicas": most, "target_ongoing_requests": 2}
        gpus = {"num_gpus": 1} if options.device == "cuda" else {"num_cpus": threads}
        made = application(options, folder, threads, least if least == most else scaling, actor=gpus)
        return cls(serve.run(made, name=NAME, route_prefix=None, logging_config={"log_level": "ERROR"}), most)

    def load(self, name: str, options: LoadOptions = AUTO, folder: Path | None = None) -> "ClusterPipeline":
        """Load a model here, whose pictures the replicas draw; ValueError as `Pipeline.load`."""
        found = cast(ClusterPipeline, ClusterPipeline.load(name, options, folder))
        found.cluster = self
        return found

    def steps(self, model: ModelFile, request: Request) -> Iterator[Step]:
        """Draw a request to a model; if a replica is gone meanwhile, another one goes on from the same scale.

        ValueError if the request cannot be drawn, or no replica comes back.
        """
        done, since = 0, time.monotonic()
        while True:
            answers = self.handle.options(stream=True, multiplexed_model_id=model.to_text()).stream.remote(request)
            try:
                for number, step in enumerate(_arriving(answers, self.patience)):
                    if number >= done:
                        done, since = done + 1, time.monotonic()
                        yield step
                return
            except ValueError:
                raise
            except Exception as error:
                _refused(error)
                if time.monotonic() - since > self.patience:
                    raise ValueError(GONE) from error
                time.sleep(PAUSE)
            finally:
                answers.cancel()


def _arriving(answers: Iterable[Step], patience: float) -> Iterator[Step]:
    """Yield answers as they arrive; ValueError if one takes longer than `patience` seconds.

    They are waited for in a thread, since nobody can be told to wait less for them.
    """
    arrived: queue.SimpleQueue[Step | Exception | None] = queue.SimpleQueue()

    def wait() -> None:
        try:
            for step in answers:
                arrived.put(step)
            arrived.put(None)
        except Exception as error:  # handed over to whoever waits
            arrived.put(error)

    threading.Thread(target=wait, daemon=True, name="answers of a replica").start()
    while True:
        try:
            found = arrived.get(timeout=patience)
        except queue.Empty as error:
            raise ValueError(GONE) from error
        if isinstance(found, Exception):
            raise found
        if found is None:
            return
        yield found


def _refused(error: Exception) -> None:
    """Raise an error of the drawing itself again; return if it only says that a replica is gone."""
    from ray.exceptions import RayError, RayTaskError
    from ray.serve.exceptions import RayServeException

    if isinstance(error, RayTaskError) and isinstance(error.cause, ValueError):
        raise ValueError(str(error.cause)) from error
    if not isinstance(error, (RayError, RayServeException)) or isinstance(error, RayTaskError):
        raise error


class ClusterPipeline(Pipeline):
    """A loaded model whose pictures the replicas of a `cluster` draw: the same pixels as without."""

    cluster: Cluster

    def __init__(self, loaded: LoadedModel, options: LoadOptions):
        super().__init__(loaded, options)
        path = Path(loaded.path or f"{loaded.spec.name}{SUFFIX}")
        self.file = ModelFile(str(path.absolute()), self.digest)

    @property
    def lanes(self) -> int:
        """Return how many runs it draws at the same time as fast as one: as many as there may be replicas."""
        return self.cluster.most

    @property
    def loader(self) -> Callable[[str, LoadOptions, Path | None], Pipeline]:
        """Return what loads another model whose pictures the same replicas draw."""
        return self.cluster.load

    def drawn(self, request: Request) -> Iterator[Step]:
        """Draw a request in one pass, elsewhere; here where another model finishes it."""
        if self.finish is not None:
            return super().drawn(request)
        request.check(self.spec)
        return (replace(step, f_hat=step.f_hat.to(self.device)) for step in self.cluster.steps(self.file, request))
