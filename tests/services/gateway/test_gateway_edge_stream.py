"""The user stream: it falls, it is said why, and it comes back by itself."""

import gc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schema.exchange import AskAccount, ReportPushed, StreamDown, StreamUp
from services.gateway.edge_session import Pace
from tests.ports import free_port
from tests.services.gateway.failing import Answer, Failing, failing, wait_for
from tests.services.gateway.published import EVENT
from tests.services.gateway.served import PACE, Gateway, at_failing, gateway


def paced(**changes: float) -> Pace:
    return msgspec.structs.replace(PACE, **changes)


ONCE = paced(pause_s=60.0)
"""It does not dial a second time while a test lasts."""


def refused(asked: dict[str, Any]) -> dict[str, Any]:
    error = {"code": -1022, "msg": "Signature for this request is not valid."}
    return {"id": asked["id"], "status": 400, "error": error}


def assert_back(gate: Gateway, exchange: Failing, reason: str) -> None:
    """Assert that the stream fell for a reason, and that its successor is heard."""
    assert reason in gate.first(StreamDown).reason
    gate.first(StreamUp)
    wait_for(lambda: gate.thread.why_not is None)
    exchange.tell(EVENT)
    assert gate.first(ReportPushed).report.venue_order_id == str(EVENT["i"])


def test_every_event_is_pushed_in_its_order(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        gate.first(StreamUp)
        for number in range(20):
            exchange.tell(EVENT | {"i": number})
            exchange.tell({"e": "outboundAccountPosition", "E": 1, "u": 1, "B": []})
        seen = [gate.first(ReportPushed).report.venue_order_id for _ in range(20)]
        assert seen == [str(number) for number in range(20)]


def test_a_cut_socket_is_said_and_dialled_anew(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        gate.first(StreamUp)
        exchange.cut()
        assert_back(gate, exchange, "Connection closed")


def test_a_stream_that_the_exchange_ends_is_begun_anew(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        gate.first(StreamUp)
        exchange.tell({"e": "eventStreamTerminated", "E": 1728973001334})
        assert_back(gate, exchange, "eventStreamTerminated")


def test_an_event_that_cannot_be_read_ends_the_stream(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        gate.first(StreamUp)
        exchange.tell(EVENT | {"L": "NaN"})
        assert_back(gate, exchange, "cannot be read")


def test_a_socket_that_does_not_pong_is_dead(tmp_path: Path) -> None:
    with (
        failing() as exchange,
        gateway(exchange.port, tmp_path, pace=paced(keep_alive_s=0.05)) as gate,
    ):
        gate.first(StreamUp)
        exchange.ponging = False
        assert "keepalive" in gate.first(StreamDown).reason
        exchange.ponging = True
        gate.first(StreamUp)


def test_a_stream_without_any_sign_of_life_is_dead(tmp_path: Path) -> None:
    with (
        failing() as exchange,
        gateway(exchange.port, tmp_path, pace=paced(silent_s=0.2)) as gate,
    ):
        gate.first(StreamUp)
        assert "nothing came for 0.2 s" in gate.first(StreamDown).reason
        gate.first(StreamUp)


def test_a_text_that_stops_the_reader_does_not_leave_a_deaf_stream(tmp_path: Path) -> None:
    with (
        failing() as exchange,
        gateway(exchange.port, tmp_path, pace=paced(silent_s=0.3)) as gate,
    ):
        gate.first(StreamUp)
        exchange.write('{"subscriptionId":0,"event":{')
        assert gate.first(StreamDown).reason
        gate.first(StreamUp)


def test_pongs_keep_a_silent_stream_alive(tmp_path: Path) -> None:
    with (
        failing() as exchange,
        gateway(exchange.port, tmp_path, pace=paced(keep_alive_s=0.15, silent_s=0.6)) as gate,
    ):
        gate.first(StreamUp)
        began_ns = gate.clock.mono_ns()
        wait_for(lambda: gate.clock.mono_ns() - began_ns > 900_000_000)
        exchange.tell(EVENT)
        gate.first(ReportPushed)
        assert not any(isinstance(heard, StreamDown) for heard in gate.heard)


def test_a_wrong_secret_is_said_as_what_it_is(tmp_path: Path) -> None:
    with failing() as exchange:
        exchange.subscription = refused
        with gateway(exchange.port, tmp_path, pace=ONCE, ready=False) as gate:
            assert "-1022" in gate.first(StreamDown).reason
            assert "user stream" in str(gate.thread.why_not)


def test_an_answer_that_names_no_stream_begins_none(tmp_path: Path) -> None:
    with failing() as exchange:
        exchange.subscription = lambda asked: {"id": asked["id"], "status": 200, "result": {}}
        with gateway(exchange.port, tmp_path, pace=ONCE, ready=False) as gate:
            assert "did not begin a stream" in gate.first(StreamDown).reason


def test_an_exchange_that_does_not_answer_the_subscription_is_left(tmp_path: Path) -> None:
    with failing() as exchange:
        exchange.subscription = lambda _: None
        with gateway(
            exchange.port, tmp_path, pace=paced(patience_s=0.1, pause_s=60.0), ready=False
        ) as gate:
            assert "TimeoutError" in gate.first(StreamDown).reason


def test_an_exchange_that_comes_late_is_found(tmp_path: Path) -> None:
    exchange = Failing()
    exchange.port = port = free_port()
    with gateway(port, tmp_path, ready=False) as gate:
        gate.first(StreamDown)
        assert "its time" in str(gate.thread.why_not)
        assert "user stream" in str(gate.thread.why_not)
        with failing(exchange):
            gate.first(StreamUp)
            wait_for(lambda: gate.thread.why_not is None)


def test_while_banned_no_stream_is_dialled(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        gate.first(StreamUp)
        exchange.answers["GET /api/v3/account"] = Answer(429, "", {"Retry-After": "1"})
        assert gate.unanswered(AskAccount(effect_id="account"))
        began_ns = gate.clock.mono_ns()
        exchange.cut()
        gate.first(StreamDown)
        gate.first(StreamUp)
        assert gate.clock.mono_ns() - began_ns > 900_000_000


def test_a_stopped_edge_leaves_nothing_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        gate.first(StreamUp)
        exchange.cut()
        gate.first(StreamUp)
    gc.collect()
    assert "release" not in caplog.text
