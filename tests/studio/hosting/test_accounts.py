"""Who may log in."""

import asyncio
from pathlib import Path

import pytest

from var_studio.hosting import accounts
from var_studio.hosting.accounts import Accounts


def test_only_the_right_password_of_a_known_name_is_taken():
    known = Accounts.of("anna", "correct horse")
    tried = (("anna", "correct horse"), ("anna", "correct"), ("anna", ""), ("bert", "correct horse"), ("bert", ""))
    assert [asyncio.run(known.check(*pair)) for pair in tried] == [True, False, False, False, False]


def test_a_line_that_the_command_makes_logs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr("getpass.getpass", lambda prompt: "correct horse")  # noqa: ARG005
    assert accounts.main(["anna"]) == 0
    line = capsys.readouterr().out
    assert "correct horse" not in line
    path = tmp_path / "accounts"
    path.write_text(f"# who may come in\n\n{line}")
    assert asyncio.run(Accounts.read(path).check("anna", "correct horse"))


@pytest.mark.parametrize("arguments", [[], ["anna", "bert"], ["anna:b"], [" "]])
def test_the_command_asks_for_one_name(arguments: list[str], capsys):
    assert accounts.main(arguments) == 2
    assert "one name" in capsys.readouterr().err


@pytest.mark.parametrize("typed", [["short", "short"], ["correct horse", "correct house"]])
def test_the_command_takes_no_short_or_mistyped_password(typed: list[str], monkeypatch: pytest.MonkeyPatch, capsys):
    answers = iter(typed)
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))  # noqa: ARG005
    assert accounts.main(["anna"]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "There is nobody in the file"),
        ("# anna\n", "There is nobody in the file"),
        ("anna", "Line 1 of .* must be a name and a hash"),
        ("\nanna:", "Line 2 of .* must be a name and a hash"),
        ("anna:secret", "anna's line holds no argon2 hash"),
        ("anna:a\nanna:b", "anna stands twice"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_words(tmp_path: Path, text: str, sentence: str):
    path = tmp_path / "accounts"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        Accounts.read(path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"])
def test_a_file_that_cannot_be_read_is_refused_in_words(tmp_path: Path, content: bytes | None):
    path = tmp_path / "accounts"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as the file of --auth-file"):
        Accounts.read(path)
