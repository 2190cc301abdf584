"""One call to the supervisor over its UNIX socket, as bytes: the warden and `rrr` send them."""

from typing import Any
from xmlrpc.client import Fault, dumps, loads

from bus.errors import UnreachableError

SOCKET = "supervisor.sock"
ANSWER_BYTES_MAX = 1 << 20

NOT_RUNNING, ALREADY_STARTED, BAD_NAME = 70, 60, 10


class RefusedError(UnreachableError):
    """The supervisor refused a call; `code` is its fault code."""

    def __init__(self, method: str, fault: Fault) -> None:
        super().__init__(
            f"the supervisor refused {method}: {fault.faultString}",
            "`supervisorctl status` shows what it knows",
        )
        self.code = fault.faultCode


def request(method: str, params: tuple[str | bool, ...]) -> bytes:
    """Return the bytes of one call; the answer ends where the connection ends."""
    body = dumps(params, f"supervisor.{method}").encode()
    head = (
        "POST /RPC2 HTTP/1.0\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def answer(method: str, data: bytes) -> Any:
    """Return the value of an answer; RefusedError when the supervisor would not."""
    head, _, body = data.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split(b" ")
    if len(status) < 2 or status[1] != b"200":
        raise UnreachableError(
            f"the supervisor answered {method} with {head[:60]!r}", "Run `rrr down`, then `rrr up`"
        )
    try:
        return loads(body)[0][0]
    except Fault as fault:
        raise RefusedError(method, fault) from fault
