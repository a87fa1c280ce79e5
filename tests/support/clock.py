"""A clock that stands until a test moves it."""


class Clock:
    """Tells the seconds that a test has set."""

    def __init__(self, now: float = 0.0):
        self.now = now

    def __call__(self) -> float:
        return self.now
