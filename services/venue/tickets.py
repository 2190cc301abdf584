"""From the parameters of a request to the order that it asks for."""

from typing import get_args

from services.venue.columns import Facts
from services.venue.orders import (
    PRICED,
    STOPPED,
    TIMED,
    PairTicket,
    Side,
    Ticket,
    Tif,
    Type,
)
from services.venue.params import Params, Refusal

SIDES: dict[str, Side] = {word: word for word in get_args(Side)}
TYPES: dict[str, Type] = {word: word for word in get_args(Type)}
TIFS: dict[str, Tif] = {word: word for word in get_args(Tif)}
SPOKEN = ("ACK", "RESULT", "FULL")

_BAD_TIF = Refusal(-1115, "Invalid timeInForce.")
_BAD_TYPE = Refusal(-1116, "Invalid orderType.")
_BAD_SIDE = Refusal(-1117, "Invalid side.")
_UNSUPPORTED = {
    "icebergQty": "Iceberg orders are not supported for this symbol.",
    "trailingDelta": "Trailing stop orders are not supported for this symbol.",
}


def read_order(params: Params, facts: Facts) -> Ticket:
    """Return the order that a request asks for."""
    kind = params.choice("type", TYPES, _BAD_TYPE)
    _refuse_unsupported(params, "")
    _check_fields(params, kind)
    return Ticket(
        symbol=facts.id,
        side=params.choice("side", SIDES, _BAD_SIDE),
        type=kind,
        tif=params.choice("timeInForce", TIFS, _BAD_TIF) if kind in TIMED else "GTC",
        qty=_positive(params, "quantity"),
        quote_qty=_positive(params, "quoteOrderQty"),
        px=_positive(params, "price"),
        stop_px=_positive(params, "stopPrice"),
        client_id=params.client_id("newClientOrderId") or "",
    )


def read_response(params: Params, kind: Type) -> str:
    """Return how much of an order the answer shall tell."""
    usual = "FULL" if kind in {"MARKET", "LIMIT"} else "ACK"
    known = {word: word for word in SPOKEN}
    if params.word("newOrderRespType") is None:
        return usual
    bad = Refusal(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    return params.choice("newOrderRespType", known, bad)


def _check_fields(params: Params, kind: Type) -> None:
    wanted = {
        "price": kind in PRICED,
        "stopPrice": kind in STOPPED,
        "timeInForce": kind in TIMED,
    }
    params.must(*(name for name, is_wanted in wanted.items() if is_wanted))
    params.forbid(*(name for name, is_wanted in wanted.items() if not is_wanted))
    if kind != "MARKET":
        params.must("quantity")
        params.forbid("quoteOrderQty")
    else:
        params.must_either("quantity", "quoteOrderQty")
        if params.word("quantity"):
            params.forbid("quoteOrderQty")


def _positive(params: Params, name: str) -> int:
    found = params.amount(name)
    if not found and params.word(name) is not None:
        raise Refusal(-1013, f"Invalid {name}.")
    return found


def _refuse_unsupported(params: Params, leg: str) -> None:
    for name, msg in _UNSUPPORTED.items():
        if params.word(_named(leg, name)) is not None:
            raise Refusal(-2010, msg)


def _named(leg: str, name: str) -> str:
    return leg + name[0].upper() + name[1:] if leg else name


def read_pair(params: Params, facts: Facts) -> PairTicket:
    """Return the pair that a request asks for, leg by leg."""
    params.must("quantity")
    return PairTicket(
        above=_leg(params, facts, "above"),
        below=_leg(params, facts, "below"),
        client_id=params.client_id("listClientOrderId") or "",
    )


def _leg(params: Params, facts: Facts, leg: str) -> Ticket:
    kind = params.choice(f"{leg}Type", TYPES, _BAD_TYPE)
    _refuse_unsupported(params, leg)
    for name, is_wanted in (("Price", kind in PRICED), ("StopPrice", kind in STOPPED)):
        (params.must if is_wanted else params.forbid)(leg + name)
    return Ticket(
        symbol=facts.id,
        side=params.choice("side", SIDES, _BAD_SIDE),
        type=kind,
        tif=_tif_of_leg(params, kind, f"{leg}TimeInForce"),
        qty=_positive(params, "quantity"),
        px=_positive(params, f"{leg}Price"),
        stop_px=_positive(params, f"{leg}StopPrice"),
        client_id=params.client_id(f"{leg}ClientOrderId") or "",
    )


def _tif_of_leg(params: Params, kind: Type, name: str) -> Tif:
    if kind in TIMED:
        return params.choice(name, TIFS, _BAD_TIF)
    params.forbid(name)
    return "GTC"


def read_old_pair(params: Params, facts: Facts) -> PairTicket:
    """Return the pair of the older request: a limit on one side, a stop on the other."""
    params.must("quantity", "price", "stopPrice")
    side = params.choice("side", SIDES, _BAD_SIDE)
    qty = _positive(params, "quantity")
    limit = Ticket(
        symbol=facts.id,
        side=side,
        type="LIMIT_MAKER",
        qty=qty,
        px=_positive(params, "price"),
        client_id=params.client_id("limitClientOrderId") or "",
    )
    stop = _old_stop(params, limit)
    above, below = (limit, stop) if side == "SELL" else (stop, limit)
    name = params.client_id("listClientOrderId") or ""
    return PairTicket(above=above, below=below, client_id=name)


def _old_stop(params: Params, limit: Ticket) -> Ticket:
    kind: Type = "STOP_LOSS_LIMIT" if params.word("stopLimitPrice") else "STOP_LOSS"
    return Ticket(
        symbol=limit.symbol,
        side=limit.side,
        type=kind,
        tif=_tif_of_leg(params, kind, "stopLimitTimeInForce"),
        qty=limit.qty,
        px=_positive(params, "stopLimitPrice"),
        stop_px=_positive(params, "stopPrice"),
        client_id=params.client_id("stopClientOrderId") or "",
    )
