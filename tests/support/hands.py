"""What a user's hands do on the page, and what comes out of it."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
SIDES = (1, 2, 3, 4, 6, 8, 10, 13, 16)  # of the token maps of the model that ships
SETTLE = 500  # milliseconds until what has just appeared on the page listens to its user


DROP = """([name, data, where]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, {type: "image/png"}));
  const options = {dataTransfer: carried, bubbles: true, cancelable: true};
  document.querySelector(where).dispatchEvent(new DragEvent("drop", options));
}"""


COPY = """(data) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return navigator.clipboard.write([new ClipboardItem({"image/png": new Blob([bytes], {type: "image/png"})})]);
}"""


def drop(page, name: str, content: bytes, where: str = "body") -> None:
    """Drop a file onto the page, or onto the first element of a selector."""
    page.evaluate(DROP, [name, base64.b64encode(content).decode(), where])


def copy(page, png: bytes) -> None:
    """Put a picture into the clipboard, as another program does."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(COPY, base64.b64encode(png).decode())


def set_number(page, name: str, value: float) -> None:
    """Type a number, as a user does, and leave the box."""
    box = page.locator(f"#{name} input:not([type=range])").first
    box.wait_for()
    page.wait_for_timeout(SETTLE)
    box.click(click_count=3)
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(str(value))
    page.keyboard.press("Tab")
    page.wait_for_timeout(SETTLE)
    assert float(box.input_value()) == value


def unfold(page, accordion: str, inside: str) -> None:
    """What an accordion holds is not in the page until it is unfolded."""
    if not page.locator(f"#{inside}").is_visible():
        page.click(f"#{accordion} button.label-wrap")
        page.locator(f"#{inside}").wait_for()


def until(page, holds: Callable[[], bool], seconds: int = 30) -> None:
    """Wait until something holds."""
    for _ in range(10 * seconds):
        if holds():
            return
        page.wait_for_timeout(100)
    assert holds()


def reads(page, selector: str, words: str) -> None:
    """Wait until a line within an element begins with words, a regular expression.

    It is looked for at every frame; a locator that waits looks twice a second.
    """
    begins = "([selector, words]) => RegExp(`^(?:${words})`, 'm').test(document.querySelector(selector)?.innerText)"
    page.wait_for_function(begins, arg=[selector, words])


def upload(page, button: str, file: Path) -> None:
    page.set_input_files(f"xpath=//*[@id='{button}']/preceding-sibling::input[1]", str(file))


def download(page, button: str) -> bytes:
    with page.expect_download() as caught:
        page.click(button)
    return Path(caught.value.path()).read_bytes()


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def looked_at(page, number: int) -> None:
    """Open the visit's pictures, if need be, and click one: they are counted from the newest, from 0, or backwards."""
    page.locator(".visit-card").first.wait_for(state="attached")
    if page.locator(".visit-open").is_visible():
        page.click(".visit-open")
        page.locator('.visit-card [aria-pressed="true"]').wait_for()
    page.locator(".visit-card > button").nth(number).click()
    cards = "[...document.querySelectorAll('.visit-card > button')].map((card) => card.ariaPressed)"
    page.wait_for_function(f"(number) => {cards}.at(number) === 'true'", arg=number)
