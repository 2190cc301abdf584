"""Asks a service on its control socket; one whose socket is not there is not waited for."""

from pathlib import Path
from typing import TypeVar

import msgspec

from bus.errors import HouseError, UnreachableError
from bus.wire import ask, socket_path
from schema.house import CommandDone

ANSWER_MS = 2000
T = TypeVar("T")


def asked(run: Path, service: str, verb: str, args: tuple[str, ...] = ()) -> CommandDone:
    """Return the answer of a service; UnreachableError when there is none."""
    if not socket_path(run, service, "ctl").exists():
        raise UnreachableError(
            f"{service} does not run",
            f"Start the house: `rrr up`, or `supervisorctl start {service}`",
        )
    return ask(run, service, verb, args, ANSWER_MS)


def body_of(done: CommandDone, kind: type[T], service: str, what: str) -> T:
    """Return what an answer holds; HouseError where this code does not read it."""
    try:
        return msgspec.json.decode(done.body, type=kind, strict=False)
    except msgspec.MsgspecError as error:
        raise HouseError(
            f"{service} told {what} in a way that this rrr does not read: {error}",
            f"Its code differs from the tree: `rrr restart {service}`",
        ) from error


def stops_in(done: CommandDone) -> list[dict[str, str]]:
    """Return the stops that an answer holds; none where it cannot be read."""
    try:
        return msgspec.json.decode(done.body, type=list[dict[str, str]]) if done.ok else []
    except msgspec.MsgspecError:
        return []
