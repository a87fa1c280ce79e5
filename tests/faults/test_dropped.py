"""A visitor whose connection drops in mid-run finds what was being drawn once the page is loaded again."""

import threading
from pathlib import Path

from support.served import served

from tools.load.person import Person


def test_a_run_that_was_cut_off_lies_among_the_pictures_of_the_page_that_is_loaded_again(tmp_path: Path):
    with served(tmp_path) as (address, _), Person(address.rstrip("/")) as anna:
        entered = next(event for event in anna.page.events if event.get("api_name") == "entered")
        (token,), (_, strip) = entered["inputs"], entered["outputs"]
        anna.hear(entered)
        anna.set(pictures=8)
        kept = anna.values[token]
        anna.leave_once_drawing("run")
        assert "visit-card" not in str(anna.values[strip])
        anna.values[token] = kept  # which the browser holds
        pause = threading.Event()
        for _ in range(60):
            anna.hear(entered)
            if "visit-card" in str(anna.values[strip]):
                break
            pause.wait(0.5)
        assert str(anna.values[strip]).count("data-picture=") == 8
