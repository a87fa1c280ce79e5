"""Measure what replicas are worth: pictures a second of two replicas with a thread each, and of one process with two.

python tools/cluster.py [--pictures 48] [--visitors 4]
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

from var_core.config import ON_CPU
from var_core.engine.pipeline import Pipeline, use_threads
from var_core.engine.request import Request
from var_core.tables import markdown
from var_studio.cluster.pipeline import Cluster

ROUNDS = 3


def pictures_a_second(pipe: Pipeline, pictures: int, visitors: int) -> float:
    """Let so many visitors ask for pictures one by one until all are drawn."""
    label = pipe.spec.label(pipe.spec.showcase)

    def draw(seed: int) -> None:
        *_, _ = pipe.stream(Request((label,), (seed,)))

    started = time.perf_counter()
    with ThreadPoolExecutor(visitors) as pool:
        list(pool.map(draw, range(pictures)))
    return pictures / (time.perf_counter() - started)


def main() -> None:
    """Measure both in turns, and print a table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--pictures", type=int, default=48)
    asked.add_argument("--visitors", type=int, default=4)
    options = asked.parse_args()
    use_threads(2)
    cluster = Cluster.start((2, 2), ON_CPU, threads=1)
    here, there = Pipeline.load(options=ON_CPU), cluster.load("flowers-scenes-128", ON_CPU)
    found: dict[str, list[float]] = {"one process, two threads": [], "two replicas, a thread each": []}
    for pipe in (here, there):
        pictures_a_second(pipe, options.visitors, options.visitors)
    for _ in range(ROUNDS):
        for name, pipe in zip(found, (here, there), strict=True):
            found[name].append(pictures_a_second(pipe, options.pictures, options.visitors))
    heads = (f"{options.visitors} visitors", f"pictures a second, {ROUNDS} rounds in turns")
    print(markdown(heads, [(name, ", ".join(f"{rate:.2f}" for rate in rates)) for name, rates in found.items()]))  # noqa: T201


if __name__ == "__main__":
    main()
