"""What the answer to a replacement proves: of the cancel, and of the order that took its place.

Each of its two parts is judged as if it stood alone. Whatever leaves either of them open raises
EdgeError, so that both are asked for.
"""

from typing import TypeVar

import msgspec

from bus.errors import EdgeError
from schema.exchange import OrderReport
from schema.joined import ReplaceDone, ReplaceRefused, SendReplace
from services.gateway import wire
from services.gateway.edge_session import OK, Reply
from services.gateway.wire_codes import BAD, Refusal, proves_not_taken
from services.gateway.wire_rows import OrderRow, ReplaceFailure, ReplaceRow

FAILED = frozenset({-2021, -2022})
"""One of the two failed, or both."""

ENDED = "CANCELED"
AGAIN = "What became of both is asked again"

T = TypeVar("T")


def parts_in(reply: Reply) -> ReplaceRow | None:
    """Return what an answer says of the two parts; None when it speaks of neither."""
    try:
        if reply.status == OK:
            return msgspec.json.decode(reply.body, type=ReplaceRow)
        failure = msgspec.json.decode(reply.body, type=ReplaceFailure)
    except msgspec.MsgspecError:
        return None
    return failure.data if failure.code in FAILED else None


def answer(
    effect: SendReplace, parts: ReplaceRow, names: wire.Names
) -> ReplaceDone | ReplaceRefused:
    """Return what both parts prove; EdgeError when one of them proves nothing."""
    match parts.cancel_result, parts.new_order_result:
        case "SUCCESS", "SUCCESS":
            return _done(effect, parts, names)
        case "SUCCESS", "FAILURE":
            return _gone(effect, parts, names)
        case "FAILURE", "NOT_ATTEMPTED":
            return refused(effect, _proof(parts.cancel_response))
    raise EdgeError(f"{parts.cancel_result} and {parts.new_order_result} was not asked for", AGAIN)


def refused(effect: SendReplace, refusal: Refusal) -> ReplaceRefused:
    """Return that neither was done."""
    return ReplaceRefused(
        effect_id=effect.effect_id,
        client_order_id=effect.intent.client_order_id,
        replaced=effect.replaced,
        symbol=effect.intent.symbol,
        code=refusal.code,
        text=refusal.msg,
    )


def _done(effect: SendReplace, parts: ReplaceRow, names: wire.Names) -> ReplaceDone:
    row = _read(parts.new_order_response, OrderRow)
    report = wire.report_of(row, names)
    _require(report.client_order_id, effect.intent.client_order_id)
    return ReplaceDone(
        effect_id=effect.effect_id,
        canceled=_canceled(effect, parts, names),
        reports=(report,),
        trades=wire.placed_trades(row, names),
    )


def _gone(effect: SendReplace, parts: ReplaceRow, names: wire.Names) -> ReplaceDone:
    refusal = _proof(parts.new_order_response)
    return ReplaceDone(
        effect_id=effect.effect_id,
        canceled=_canceled(effect, parts, names),
        reports=(),
        code=refusal.code,
        text=refusal.msg,
    )


def _canceled(effect: SendReplace, parts: ReplaceRow, names: wire.Names) -> OrderReport:
    report = wire.report_of(_read(parts.cancel_response, OrderRow), names)
    _require(report.client_order_id, effect.replaced)
    _require(report.status, ENDED)
    return report


def _proof(part: msgspec.Raw) -> Refusal:
    refusal = _read(part, Refusal)
    if not proves_not_taken(BAD, refusal):
        raise EdgeError(f"the exchange left it open: {refusal.code} {refusal.msg}", AGAIN)
    return refusal


def _read(part: msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(part, type=kind)
    except msgspec.MsgspecError as error:
        raise EdgeError(f"a part of the answer cannot be read: {error}", AGAIN) from error


def _require(found: str, expected: str) -> None:
    if found != expected:
        raise EdgeError(f"the answer is about {found}, expected was {expected}", AGAIN)
