"""Asks a service on its control socket; one whose socket is not there is not waited for."""

from pathlib import Path

import msgspec

from bus.errors import UnreachableError
from bus.wire import ask, socket_path
from schema.house import CommandDone

ANSWER_MS = 2000


def asked(run: Path, service: str, verb: str, args: tuple[str, ...] = ()) -> CommandDone:
    """Return the answer of a service; UnreachableError when there is none."""
    if not socket_path(run, service, "ctl").exists():
        raise UnreachableError(
            f"{service} does not run",
            f"Start the house: `rrr up`, or `supervisorctl start {service}`",
        )
    return ask(run, service, verb, args, ANSWER_MS)


def stops_in(done: CommandDone) -> list[dict[str, str]]:
    """Return the stops that an answer holds; none where it cannot be read."""
    try:
        return msgspec.json.decode(done.body, type=list[dict[str, str]]) if done.ok else []
    except msgspec.MsgspecError:
        return []
