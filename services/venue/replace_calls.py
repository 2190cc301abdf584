"""The signed call that cancels one order and places another in its place, as one request.

The filters are asked first, while both orders count as open, and refuse the whole of it. What the
cancel and the new order then came to stands side by side in the answer, whatever its status.
"""

from typing import Literal, get_args

import msgspec

from services.venue import statement
from services.venue.columns import Facts
from services.venue.desk import Desk
from services.venue.orders import Order, Ticket
from services.venue.params import Params, Refusal
from services.venue.payload import Json
from services.venue.tickets import read_order, read_response

Way = Literal["STOP_ON_FAILURE", "ALLOW_FAILURE"]
Only = Literal["", "ONLY_NEW", "ONLY_PARTIALLY_FILLED"]

WAYS: dict[str, Way] = {word: word for word in get_args(Way)}
ONLY: dict[str, Only] = {word: word for word in get_args(Only) if word}
STATUSES: dict[Only, str] = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}
LIMIT_MODES = {word: word for word in ("DO_NOTHING", "CANCEL_ONLY")}

UNKNOWN = Refusal(-2011, "Unknown order sent.")
RESTRICTED = Refusal(-2011, "Order was not canceled due to cancel restrictions.")

SUCCESS, FAILURE, NOT_ATTEMPTED = "SUCCESS", "FAILURE", "NOT_ATTEMPTED"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for."""

    facts: Facts
    ticket: Ticket
    response: str
    way: Way
    only: Only
    order: Order | None
    cancel_id: str


def replace(desk: Desk, params: Params) -> Json:
    """Cancel and place as a request says; Refusal, with what was done, when not all was."""
    wanted = _read(desk, params)
    desk.check_filters(wanted.ticket)
    refused, cancelled = _cancelled(desk, wanted)
    unplaced, placed = None, None
    if refused is None or wanted.way == "ALLOW_FAILURE":
        unplaced, placed = _placed(desk, wanted)
    found: Json = {
        "cancelResult": SUCCESS if refused is None else FAILURE,
        "newOrderResult": SUCCESS if placed else FAILURE if unplaced else NOT_ATTEMPTED,
        "cancelResponse": cancelled or _said(refused),
        "newOrderResponse": placed or _said(unplaced),
    }
    if refused is None and placed:
        return found
    if refused is None or placed:
        raise Refusal(-2021, "Order cancel-replace partially failed.", 409, found)
    raise Refusal(-2022, "Order cancel-replace failed.", 400, found)


def _read(desk: Desk, params: Params) -> Wanted:
    facts = params.symbol(desk.market.facts)
    way = params.choice("cancelReplaceMode", WAYS, _invalid("cancelReplaceMode"))
    params.must_either("cancelOrigClientOrderId", "cancelOrderId")
    number, name = params.number("cancelOrderId"), params.word("cancelOrigClientOrderId")
    only: Only = ""
    if params.word("cancelRestrictions") is not None:
        only = params.choice("cancelRestrictions", ONLY, _invalid("cancelRestrictions"))
    if params.word("orderRateLimitExceededMode") is not None:
        bad = _invalid("orderRateLimitExceededMode")
        params.choice("orderRateLimitExceededMode", LIMIT_MODES, bad)
    ticket = read_order(params, facts)
    wanted = Wanted(
        facts=facts,
        ticket=ticket,
        response=read_response(params, ticket.type),
        way=way,
        only=only,
        order=desk.find(facts.id, number, name),
        cancel_id=params.client_id("cancelNewClientOrderId") or "",
    )
    params.ignore("selfTradePreventionMode", "strategyId", "strategyType")
    params.check_all_read()
    return wanted


def _invalid(name: str) -> Refusal:
    return Refusal(-1130, f"Data sent for parameter '{name}' is not valid.")


def _cancelled(desk: Desk, wanted: Wanted) -> tuple[Refusal | None, Json | None]:
    order = wanted.order
    if order is None or not order.open:
        return UNKNOWN, None
    if wanted.only and order.status != STATUSES[wanted.only]:
        return RESTRICTED, None
    legs, used = desk.cancel(order, wanted.cancel_id)  # Of a pair, both.
    ended = next(leg for leg in legs if leg.id == order.id)
    return None, statement.cancelled_row(wanted.facts, ended, used)


def _placed(desk: Desk, wanted: Wanted) -> tuple[Refusal | None, Json | None]:
    try:
        order = desk.place(wanted.ticket)
    except Refusal as refusal:
        return refusal, None
    fills = desk.records.fills_of(order.id)
    return None, statement.placed_row(wanted.facts, order, fills, wanted.response)


def _said(refusal: Refusal | None) -> Json | None:
    return {"code": refusal.code, "msg": refusal.msg} if refusal is not None else None
