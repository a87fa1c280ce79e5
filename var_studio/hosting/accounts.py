"""Who may log in: names, and hashes of passwords.

`python -m var_studio.hosting.accounts NAME` asks for a password and prints the line for the file of `--auth-file`.
"""

import getpass
import sys
from collections.abc import Mapping
from pathlib import Path

import anyio
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

LEAST = 8  # characters of a password that a line is made for
AT_ONCE = 2  # passwords that are looked at together: each takes 64 MiB for a moment


class Accounts:
    """Names with the argon2 hashes of their passwords."""

    def __init__(self, hashes: Mapping[str, str]):
        """ValueError if there is none, or one is no hash of argon2."""
        if not hashes:
            raise ValueError("There is nobody in the file of --auth-file: add a line NAME:HASH.")
        for name, kept in hashes.items():
            try:
                extract_parameters(kept)
            except InvalidHashError:
                made = f"python -m var_studio.hosting.accounts {name}"
                raise ValueError(f"{name}'s line holds no argon2 hash: make one with {made}.") from None
        self._hashes = dict(hashes)
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash("")  # looked at for unknown names: that takes as long as for known ones
        self._turns = anyio.CapacityLimiter(AT_ONCE)

    @classmethod
    def of(cls, name: str, password: str) -> "Accounts":
        """Return the accounts that hold one name and its password."""
        return cls({name: PasswordHasher().hash(password)})

    @classmethod
    def read(cls, path: Path) -> "Accounts":
        """Read lines NAME:HASH, but blank ones and those that begin with #. ValueError says what is wrong."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} cannot be read as the file of --auth-file ({error}).") from error
        hashes: dict[str, str] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            name, _, kept = line.strip().partition(":")
            if not name or not kept:
                raise ValueError(f"Line {number} of {path} must be a name and a hash with a colon between them.")
            if name in hashes:
                raise ValueError(f"{name} stands twice in {path}: keep one of the lines.")
            hashes[name] = kept
        return cls(hashes)

    async def check(self, name: str, password: str) -> bool:
        """Say whether this is the password of this name."""
        return await anyio.to_thread.run_sync(self._is_right, name, password, limiter=self._turns)

    def _is_right(self, name: str, password: str) -> bool:
        try:
            return self._hasher.verify(self._hashes.get(name, self._nobody), password) and name in self._hashes
        except Argon2Error:
            return False


def main(arguments: list[str]) -> int:
    """Ask for a password twice and print the line of a name; the exit status."""
    if len(arguments) != 1 or ":" in arguments[0] or not arguments[0].strip():
        sys.stderr.write("Give one name without a colon: python -m var_studio.hosting.accounts NAME\n")
        return 2
    password = getpass.getpass("Password: ")
    if len(password) < LEAST or password != getpass.getpass("Once more: "):
        sys.stderr.write(f"Give the same password twice, of {LEAST} characters or more.\n")
        return 2
    sys.stdout.write(f"{arguments[0].strip()}:{PasswordHasher().hash(password)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
