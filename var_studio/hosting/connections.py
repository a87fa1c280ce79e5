"""Connections that say nothing, or say it too slowly, are closed."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 15.0  # seconds within which the headers of a request must be here
KEPT = 15  # seconds that a connection stays open for the next request


class PatientProtocol(H11Protocol):
    """HTTP as uvicorn speaks it, but a connection whose request does not come within `patience` is closed."""

    patience = PATIENCE
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_busy():
            self._forget()
        elif self._waiting is None and self.timeout_keep_alive_task is None:
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _is_busy(self) -> bool:
        """Say whether a request is here, and not yet answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _await_request(self) -> None:
        self._waiting = self.loop.call_later(self.patience, self._give_up)

    def _forget(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if not self._is_busy() and not self.transport.is_closing():
            self.transport.close()


def patient(seconds: float) -> type[PatientProtocol]:
    """Return the protocol with another patience."""

    class Patient(PatientProtocol):
        patience = seconds

    return Patient
