"""What a fault does to one request: instead of the desk, or to the desk's answer."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from services.venue.faults import BAN, RATE, Asked, Fault, Faults
from services.venue.faults_kinds import AFTER, BEFORE
from services.venue.faults_sight import rows_in
from services.venue.rest import ROOT, Answer

PAGE = b"<html><head><title>503</title></head><body><h1>Service Unavailable</h1></body></html>"
TOO_MANY = "Too much request weight used; please use the websocket for live updates."
STATUSES = {RATE: 429, BAN: 418}
CODES = {
    "unknown_1007": (-1007, "Timeout waiting for response from backend server."),
    "error_1006": (-1006, "An unexpected response was received from the message bus."),
    "error_5xx": (-1000, "An unknown error occurred while processing the request."),
}
NAMES = ("newClientOrderId", "origClientOrderId", "belowClientOrderId", "listClientOrderId")
LISTING = "GET exchangeInfo"
OTHER = "somebody-elses-order"


class Outcome(msgspec.Struct, kw_only=True):
    """What goes back, and by which fault; `cut` is the connection's end instead."""

    status: int = 200
    body: bytes = b""
    weight: int = 1
    headers: Mapping[str, str] = {}
    fault: str = ""
    cut: bool = False
    html: bool = False


async def asked_by(request: web.Request, call: str | None) -> Asked:
    """Return what a request is about."""
    fields = dict(request.query)
    if call is not None and request.can_read_body:
        fields |= dict(parse_qsl((await request.read()).decode(errors="replace")))
    return Asked(
        call=call or f"{request.method} {request.path.removeprefix(ROOT)}",
        signed=call is not None,
        symbol=fields.get("symbol", ""),
        side=fields.get("side", ""),
        client_id=next((fields[name] for name in NAMES if name in fields), ""),
        agent=request.headers.get("User-Agent", "").partition(" ")[0][:40],
    )


def before(faults: Faults, asked: Asked) -> Outcome | None:
    """Return what goes back without the desk having heard of a request, or None."""
    for find in (_banned, _closed, _lost, _failed, _unknown):
        if (outcome := find(faults, asked)) is not None:
            return outcome
    return None


def after(faults: Faults, asked: Asked, answer: Answer) -> Outcome:
    """Return what goes back where the desk has made an answer."""
    outcome = Outcome(status=answer.status, body=answer.body, weight=answer.weight)
    if asked.call == LISTING and faults.look("maintenance"):
        outcome.body = outcome.body.replace(b'"TRADING"', b'"BREAK"')
    if faults.strike("lost_ack", asked):
        return Outcome(cut=True, fault="lost_ack")
    if (failed := _failed(faults, asked, AFTER)) is not None:
        return failed
    for name, spoil in SPOILS.items():
        if (fault := faults.strike(name, asked)) is not None:
            spoil(outcome, fault)
            outcome.fault = name
            break
    return outcome


def _banned(faults: Faults, asked: Asked) -> Outcome | None:
    now_ms = faults.now_ms()
    for name, status in STATUSES.items():
        left_ms = faults.banned_ms.get(name, 0) - now_ms
        if left_ms > 0:
            faults.during_ban += 1
            return _wait(status, left_ms, f"during {name}")
        if (fault := faults.strike(name, asked)) is not None:
            wait_ms = fault.ms("wait_s") * 1_000
            faults.banned_ms[name] = now_ms + wait_ms
            return _wait(status, wait_ms, name)
    return None


def _wait(status: int, wait_ms: int, fault: str) -> Outcome:
    retry_s = -(-wait_ms // 1_000)
    headers = {"Retry-After": str(retry_s)}
    return Outcome(status=status, body=_error(-1003, TOO_MANY), headers=headers, fault=fault)


def _closed(faults: Faults, asked: Asked) -> Outcome | None:
    if asked.call == LISTING or not faults.strike("maintenance", asked):
        return None
    return Outcome(status=503, body=PAGE, html=True, fault="maintenance")


def _lost(faults: Faults, asked: Asked) -> Outcome | None:
    lost = faults.strike("lost_request", asked)
    return Outcome(cut=True, fault="lost_request") if lost else None


def _failed(faults: Faults, asked: Asked, when: str = BEFORE) -> Outcome | None:
    for name, (code, msg) in CODES.items():
        if (fault := faults.strike(name, asked, when)) is not None:
            status = fault.ms("status")
            return Outcome(status=status, body=_error(code, msg), fault=f"{name} {when}")
    return None


def _unknown(faults: Faults, asked: Asked) -> Outcome | None:
    if not faults.strike("cancel_unknown", asked):
        return None
    body = _error(-2011, "Unknown order sent.")
    return Outcome(status=400, body=body, fault="cancel_unknown")


def _error(code: int, msg: str) -> bytes:
    return msgspec.json.encode({"code": code, "msg": msg})


def _page(outcome: Outcome, fault: Fault) -> None:
    outcome.status, outcome.body, outcome.html = fault.ms("status"), PAGE, True


def _halve(outcome: Outcome, _: Fault) -> None:
    outcome.body = outcome.body[: len(outcome.body) // 2]


def _empty(outcome: Outcome, _: Fault) -> None:
    outcome.body = b""


def _swap(outcome: Outcome, _: Fault) -> None:
    found = msgspec.json.decode(outcome.body)
    for row in rows_in(found):
        row |= {"orderId": row["orderId"] + 1_000_000, "clientOrderId": OTHER}
    outcome.body = msgspec.json.encode(found)


SPOILS: Mapping[str, Callable[[Outcome, Fault], None]] = {
    "html_body": _page,
    "truncated_json": _halve,
    "empty_body": _empty,
    "wrong_order_answer": _swap,
}
