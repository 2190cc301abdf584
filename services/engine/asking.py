"""Who is asked about what happened, and in which words of an author's."""

from collections.abc import Sequence

from schema.forecast import Forecast
from schema.head import Message
from schema.market import Bar
from schema.orders import Fill, OrderDenied, OrderRejected
from schema.strategy import ShadowFill
from schema.units import SECOND_NS
from services.engine import strategy, view
from services.engine.boundary import Guard
from services.engine.deciding import Question, decide
from services.engine.line import Pass
from services.engine.roster import Cast, Roster
from services.engine.scene import REFUSED
from services.engine.series import Sides
from services.engine.state import Order

ENDS: dict[type[Message], str] = {
    Fill: "on_fill",
    OrderDenied: "on_denied",
    OrderRejected: "on_denied",
}
"""What a strategy may be told of its order, and by which event."""


def ask_bar(turn: Pass, guard: Guard, takers: Sequence[Cast], bar: Bar, sides: Sides) -> None:
    """Ask everybody who trades on these bars; `sides` are the numbers of this one."""
    shown = view.Bar(bar.symbol, bar.timeframe, bar.open_ns, bar.ts_event, *sides)
    question = Question("on_bar", shown, f"bar {bar.timeframe} {bar.open_ns}", bar.open_ns)
    for cast in takers:
        if "on_bar" in cast.listens:
            decide(turn, guard, cast, question)


def ask_forecast(turn: Pass, guard: Guard, casts: Sequence[Cast], forecast: Forecast) -> None:
    """Ask everybody who trades the symbol of a forecast."""
    open_ns = forecast.bar_open_ns
    question = Question("on_forecast", forecast, f"forecast {open_ns}", open_ns)
    for cast in casts:
        if "on_forecast" in cast.listens:
            decide(turn, guard, cast, question)


def ask_order(turn: Pass, guard: Guard, cast: Cast | None, order: Order, message: Message) -> None:
    """Tell the strategy behind an order what became of it, where it wants to hear of that."""
    event = ENDS.get(type(message))
    if cast is None or event not in cast.listens:
        return
    if order.intent.replaces and order.place.state in REFUSED:
        return  # It is done in two steps then; only if those are refused, the order is.
    leg = order.intent.leg
    match message:
        case Fill():
            about: object = _filled(message, leg)
            decide(turn, guard, cast, Question(event, about, f"fill {message.venue_trade_id}"))
        case OrderDenied(client_order_id=order_id) | OrderRejected(client_order_id=order_id):
            about = strategy.Denial(message.code, message.detail, leg)
            decide(turn, guard, cast, Question(event, about, f"denied {order_id}"))


def ask_shadow(turn: Pass, guard: Guard, roster: Roster, key: str) -> None:
    """Tell a shadow what it would have been filled at."""
    name, _, symbol = key.partition(" ")
    cast = roster.find(turn.books, name, symbol)
    for n, (leg, fill) in enumerate(turn.windows.thought.pop(key, ())):
        if cast is not None and cast.shadow and "on_fill" in cast.listens:
            moment = f"shadow {fill.ts_event} {n}"
            decide(turn, guard, cast, Question("on_fill", _thought(fill, leg), moment))


def ask_timer(turn: Pass, guard: Guard, roster: Roster, name: str, at_ns: int) -> None:
    """Ask a strategy at its timer, and set the next one."""
    for cast in roster.of(turn.books, name):
        if "on_timer" in cast.listens:
            decide(turn, guard, cast, Question("on_timer", at_ns, f"timer {at_ns}"))
    set_timer(turn, roster, name)


def set_timer(turn: Pass, roster: Roster, name: str) -> None:
    """Wake a strategy at the next whole multiple of its pause."""
    pause_ns = roster.every_s(turn.books, name) * SECOND_NS
    if pause_ns:
        turn.wake(f"strategy {name}", (turn.now_ns // pause_ns + 1) * pause_ns)


def _thought(fill: ShadowFill, leg: str) -> strategy.Fill:
    return strategy.Fill(
        side=fill.side,
        qty=fill.qty / 10.0**fill.qty_exp,
        price=fill.px / 10.0**fill.px_exp,
        fee=fill.fee / 10.0**fill.quote_exp,
        leg=leg,
    )


def _filled(fill: Fill, leg: str) -> strategy.Fill:
    in_quote = fill.fee_asset == fill.symbol.partition("/")[2]
    return strategy.Fill(
        side=fill.side,
        qty=fill.qty / 10.0**fill.qty_exp,
        price=fill.px / 10.0**fill.px_exp,
        fee=fill.fee / 10.0**fill.fee_exp if in_quote else 0.0,
        leg=leg,
    )
