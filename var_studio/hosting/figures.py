"""Figures of a served app for Prometheus: runs, seconds, queue, visitors, memory, refusals."""

import ipaddress
from collections.abc import Callable
from http.server import HTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


class Figures:
    """Counters of one app, which begin at zero with it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.runs = Counter("var_studio_runs", "Runs by their end", ["run", "end"], registry=self.registry)
        text = "Seconds from a run's begin to its end"
        self.seconds = Histogram("var_studio_run_seconds", text, ["run"], buckets=SECONDS, registry=self.registry)
        self.under_way = Gauge("var_studio_runs_under_way", "Runs that have begun", registry=self.registry)
        self.refusals = Counter("var_studio_refusals", "Requests not let in", ["kind"], registry=self.registry)
        self.errors = Counter("var_studio_errors", "Errors that nobody expected", registry=self.registry)
        ProcessCollector(registry=self.registry)  # memory, processor time, open files
        PlatformCollector(registry=self.registry)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a value as it is whenever it is asked for."""
        Gauge(f"var_studio_{name}", text, registry=self.registry).set_function(value)

    def refused(self, kind: str) -> None:
        """Count a refusal of a kind."""
        self.refusals.labels(kind).inc()

    def serve(self, place: str) -> HTTPServer:
        """Answer `/metrics` at PORT of this machine, or at ADDRESS:PORT; ValueError if it cannot be had.

        A port of its own: whatever stands in front of the app, a share link too, does not lead to it.
        """
        address, _, port = place.rpartition(":")
        try:
            host = str(ipaddress.ip_address(address.strip("[]") or "127.0.0.1"))
            server, _thread = start_http_server(int(port), host, self.registry)
        except (ValueError, OSError, OverflowError) as error:
            raise ValueError(f"No figures can be served at {place} ({error}): give --metrics a free PORT.") from error
        return server
