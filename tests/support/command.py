"""The command line as its user calls it."""

from var_core.cli import main


def run(*words) -> int:
    """The exit status of a command."""
    return main([str(word) for word in words])


def fails(capsys, *words) -> str:
    """What a command says that ends with an error: one line, and no traceback."""
    capsys.readouterr()
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and "Traceback" not in error
    return error


# The sizes of a tokenizer that trains in seconds.
SMALL = (
    "--sides 1,2,3,4 --vocabulary 32 --code-width 8 --channels 16 --multipliers 1,2 --norm-groups 4 --stem 4 --batch 4"
)
