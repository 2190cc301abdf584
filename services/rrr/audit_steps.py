"""The life of an order as the audit knows it: a small relation, written apart from the table.

An order is in one of the states that FIX names, and may have a cancel under way above it.
"""

OPEN = ("SUBMITTED", "UNCONFIRMED", "ACCEPTED", "TRIGGERED", "PARTIALLY_FILLED")
ENDED = ("FILLED", "CANCELED", "EXPIRED", "REJECTED", "DENIED")
PENDING = "PENDING_CANCEL"
SAME = "="
"""The event leaves the order as it is."""

RELATION: dict[str, dict[str, str]] = {
    "OrderUnconfirmed": {"SUBMITTED": "UNCONFIRMED"},
    "OrderAccepted": {
        **dict.fromkeys(("SUBMITTED", "UNCONFIRMED"), "ACCEPTED"),
        **dict.fromkeys(("TRIGGERED", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED"), SAME),
    },
    "OrderRejected": dict.fromkeys(OPEN[:4], "REJECTED"),
    "OrderTriggered": {"ACCEPTED": "TRIGGERED"},
    "OrderCancelRejected": dict.fromkeys((*OPEN[2:], *ENDED[:4]), SAME),
    "OrderCanceled": dict.fromkeys(OPEN, "CANCELED"),
    "OrderExpired": dict.fromkeys(OPEN, "EXPIRED"),
    "Fill": dict.fromkeys(OPEN, "PARTIALLY_FILLED"),
}
"""For each event, the states that it may come in and where it leads; a fill's end is FILLED."""

CANCELLED = ("SUBMITTED", "ACCEPTED", "TRIGGERED", "PARTIALLY_FILLED")
"""States in which a cancel may be under way."""


def led(state: str, event: str, *, pending: bool, whole: bool) -> tuple[str, bool] | None:
    """Return state and whether a cancel is under way after an event; None for an illegal one."""
    if event == "OrderPendingCancel":
        return (state, True) if pending or state in CANCELLED else None
    if pending and event in {"OrderCancelRejected", "OrderAccepted"} and _stays(state, event):
        return state, False
    to = RELATION.get(event, {}).get(state)
    if to is None:
        return None
    to = state if to == SAME else to
    if event == "Fill" and whole:
        to = "FILLED"
    return to, pending and to in OPEN and to != "UNCONFIRMED"


def _stays(state: str, event: str) -> bool:
    # A cancel that came to nothing leaves what was underneath, whatever it was.
    return event == "OrderCancelRejected" or state != "SUBMITTED"


def shown(state: str, *, pending: bool) -> str:
    """Return the state that people see: FIX's precedence lets the cancel stand above."""
    return PENDING if pending else state
