"""The supervisor's two protocols, as bytes."""

from xmlrpc.client import Fault, dumps

import pytest

from bus.errors import ProtocolError, UnreachableError
from services.warden import rpc
from services.warden.effects import ProcessSeen
from services.warden.listener import payload_bytes, process_seen, tokens

HEADER = (
    b"ver:3.0 server:rrr serial:21 pool:warden poolserial:10 "
    b"eventname:PROCESS_STATE_EXITED len:84\n"
)
PAYLOAD = b"processname:ingest groupname:ingest from_state:RUNNING expected:0 pid:2766"


def http(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.0 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_an_event_is_read() -> None:
    header = tokens(HEADER)
    assert payload_bytes(header) == 84
    assert process_seen(header["eventname"], tokens(PAYLOAD)) == ProcessSeen(
        program="ingest", state="EXITED", before="RUNNING", pid=2766, expected=False
    )


def test_events_of_another_kind_are_nothing() -> None:
    assert process_seen("TICK_5", {"when": "1"}) is None


@pytest.mark.parametrize("line", [b"ver:3.0\n", b"len:\n", b"len:-1\n", b"garbage\n"])
def test_an_event_without_a_length_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        payload_bytes(tokens(line))


def test_a_call_names_its_length() -> None:
    head, _, body = rpc.request("startProcess", ("ingest", False)).partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert b"supervisor.startProcess" in body


def test_an_answer_is_its_value() -> None:
    assert rpc.answer("getPID", http(dumps((42,), methodresponse=True))) == 42


def test_a_refusal_carries_its_code() -> None:
    body = dumps(Fault(70, "NOT_RUNNING: ingest"), methodresponse=True)
    with pytest.raises(rpc.RefusedError, match="NOT_RUNNING") as caught:
        rpc.answer("stopProcess", http(body))
    assert caught.value.code == rpc.NOT_RUNNING


@pytest.mark.parametrize("data", [b"", b"HTTP/1.0", http("", "500 Error"), b"\xff\r\n\r\n"])
def test_an_answer_that_is_none_is_unreachable(data: bytes) -> None:
    with pytest.raises(UnreachableError):
        rpc.answer("getPID", data)
