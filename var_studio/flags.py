"""The flags of the app: what they are, and the environment variables that stand for them."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

from var_core.files import where_models_go
from var_core.settings import parse_switch, parsed, rows

from .hosting.logs import FORMS, PLAIN
from .hosting.origins import LOCAL
from .hosting.serving import OWN_MACHINE
from .shared.limits import HOME, PUBLIC, Limits

FIRST_PORT = 7860
LIMITS = f"{Limits.PREFIX}LIMITS"  # several at once: NAME=VALUE,NAME=VALUE


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message[0].upper()}{message[1:]}. See --help.")


def parser() -> Parser:
    """Return all flags, each with its help."""
    text = "VAR Studio: play with, and look inside, next-scale prediction."
    flags = Parser(description=text, epilog=f"{_environment()} {where_models_go()}")
    flags.add_argument("--host", default="127.0.0.1", help="address to serve on; 0.0.0.0 for the whole network")
    flags.add_argument("--port", type=int, help=f"port to serve on (default: the first free one from {FIRST_PORT})")
    flags.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    text = "type of the transformer's products: auto, float32, float16, bfloat16; int8 speeds up large models on a CPU"
    flags.add_argument("--dtype", default="auto", help=text)
    flags.add_argument("--compile", action="store_true", help="fuse the transformer with torch.compile: for a GPU")
    flags.add_argument("--model", help="name or path of a model (default: the one that comes with the app)")
    flags.add_argument("--threads", type=int, help="CPU threads to use (default: all cores)")
    text = "who draws: here, this process; ray, replicas in a cluster, for many visitors"
    flags.add_argument("--backend", choices=("here", "ray"), default="here", metavar="NAME", help=text)
    text = "with --backend ray: how many replicas, or the fewest and the most, by how many wait"
    flags.add_argument("--replicas", type=replicas, default=(1, 1), metavar="COUNT", help=text)
    text = "with --backend ray: the cluster, such as ray://HOST:10001 (default: the one that runs here, or a new one)"
    flags.add_argument("--ray-address", metavar="ADDRESS", help=text)
    flags.add_argument("--share", action="store_true", help="also make a public link")
    text = "be careful with strangers: narrower limits, no other models (default: with --share, or a --host for others)"
    flags.add_argument("--public", action=argparse.BooleanOptionalAction, help=text)
    flags.add_argument("--limit", action="append", default=[], metavar="NAME=VALUE", help=f"a limit: {_limits()}")
    text = "the limit 'queue'"  # among the others, so that the last word counts
    flags.add_argument("--max-queue", action="append", dest="limit", type="queue={}".format, metavar="N", help=text)
    text = "let visitors download and load models, also when others than you can reach the app"
    flags.add_argument("--allow-models", action="store_true", help=text)
    _add_hosting(flags)
    return flags


def _add_hosting(flags: Parser) -> None:
    """Add the flags that say how the app is served."""
    flags.add_argument("--auth", metavar="USER:PASSWORD", help="ask visitors for this name and password")
    text = (
        "ask for a name and a password of this file, which has lines NAME:HASH (docs/hosting.md says how to make them)"
    )
    flags.add_argument("--auth-file", type=Path, metavar="FILE", help=text)
    text = "where a proxy serves the app: a path such as /studio, or the whole address"
    flags.add_argument("--root-path", default="", metavar="PATH", help=text)
    text = "addresses or networks of proxies whose word for a visitor's address is taken (default: this machine)"
    flags.add_argument("--proxies", default=OWN_MACHINE, metavar="ADDRESSES", help=text)
    flags.add_argument("--ssl-keyfile", metavar="FILE", help="serve with TLS: the private key, as PEM")
    flags.add_argument("--ssl-certfile", metavar="FILE", help="serve with TLS: the certificate, as PEM")
    text = "let language models use the endpoints as tools, at /gradio_api/mcp/ (needs the package mcp)"
    flags.add_argument("--mcp", action="store_true", help=text)
    text = "let other sites show the app in a frame (default: in a Hugging Face Space)"
    flags.add_argument("--embed", action=argparse.BooleanOptionalAction, help=text)
    text = "answer Prometheus at a port of this machine, or at ADDRESS:PORT: runs, queue, visitors, memory, refusals"
    flags.add_argument("--metrics", metavar="PORT", help=text)
    text = "plain: a line for what goes wrong; json: one for every run as well"
    flags.add_argument("--log", choices=FORMS, default=PLAIN, metavar="FORM", help=text)


def read_flags(arguments: list[str], environment: Mapping[str, str]) -> argparse.Namespace:
    """Read flags, and environment variables for those that are not given; ValueError if one cannot be used."""
    flags = parser()
    return flags.parse_args([*_from(environment, flags), *arguments])


def replicas(text: str) -> tuple[int, int]:
    """Read how many replicas there may be, "2" or "1-8"; an error of the flag if there can be none such."""
    least, _, most = text.partition("-")
    if not (least.isdecimal() and (most or least).isdecimal() and 1 <= int(least) <= int(most or least)):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of replicas: give one of 1 or more, or two as in 1-8")
    return int(least), int(most or least)


def is_public(flags: argparse.Namespace, host: str) -> bool:
    """Say whether strangers may reach the app: as told, else by where it is served."""
    return (flags.share or host not in LOCAL) if flags.public is None else flags.public


def limits(flags: argparse.Namespace, public: bool) -> Limits:
    """Return the limits that hold: those of home or of the public, with those given; ValueError for a wrong one."""
    given: dict[str, str] = {}
    names = [row.name for row in rows(Limits)]
    for text in flags.limit:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or name not in names:
            raise ValueError(f"--limit {text} is none: give NAME=VALUE, with one of: {', '.join(names)}.")
        given[name] = value
    return parsed(PUBLIC if public else HOME, given)


def variable(option: str) -> str:
    """Return the environment variable that stands for an option such as "--max-queue"."""
    return Limits.PREFIX + option.lstrip("-").replace("-", "_").upper()


def _environment() -> str:
    return (
        f"Each flag has an environment variable, which it wins over: {variable('--port')} for --port, and so on; "
        f"{LIMITS}=pictures=4,queue=10 sets several limits."
    )


def _limits() -> str:
    """Name all limits with their defaults."""
    each = (f"{row.name} ({row.help}; {row.default}, {getattr(PUBLIC, row.name)} in public)" for row in rows(Limits))
    return "; ".join(each).replace("%", "%%")


def _from(environment: Mapping[str, str], flags: Parser) -> Iterable[str]:
    """Yield what environment variables say, as arguments."""
    for text in filter(None, (part.strip() for part in environment.get(LIMITS, "").split(","))):
        yield f"--limit={text}"
    for action in flags._actions:
        option = max(action.option_strings, key=len)
        if isinstance(action, argparse.BooleanOptionalAction):
            option = action.option_strings[0]
        name = variable(option)
        if name not in environment or action.dest == "help":
            continue
        if action.nargs != 0:
            yield f"{option}={environment[name]}"
        elif parse_switch(name, environment[name]):
            yield option
        elif isinstance(action, argparse.BooleanOptionalAction):
            yield action.option_strings[1]
