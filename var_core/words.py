"""Words that fit a number."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 picture", "1,200 pictures", "7 classes"."""
    if number == 1:
        return f"{number:,} {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"
