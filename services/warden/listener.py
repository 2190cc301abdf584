"""The event listener protocol of the supervisor, as bytes in and values out."""

from bus.errors import ProtocolError
from services.warden.effects import ProcessSeen

READY = b"READY\n"
OK = b"RESULT 2\nOK"
PREFIX = "PROCESS_STATE_"


def tokens(line: bytes) -> dict[str, str]:
    """Return the pairs of a header or a payload."""
    pairs = (token.partition(":") for token in line.decode().split())
    return {key: value for key, _, value in pairs}


def payload_bytes(header: dict[str, str]) -> int:
    """Return how many bytes follow a header."""
    length = header.get("len", "")
    if not length.isdigit():
        raise ProtocolError(
            f"the supervisor sent an event without a length: {header}",
            "Only supervisord may write to the warden's standard input",
        )
    return int(length)


def process_seen(event: str, payload: dict[str, str]) -> ProcessSeen | None:
    """Return what an event says of a process; None for events of another kind."""
    if not event.startswith(PREFIX):
        return None
    return ProcessSeen(
        program=payload.get("processname", ""),
        state=event.removeprefix(PREFIX),
        before=payload.get("from_state", ""),
        pid=int(payload.get("pid", "0")),
        expected=payload.get("expected", "1") == "1",
    )
