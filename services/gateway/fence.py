"""The ring fence: how much of an asset the house may use, and what lies outside of it.

Without one all of the account is the house's. With one, what is there at first beyond it is kept in
the external book, as is what comes later; what goes is taken from there first. What the external
book bears is shown and counted, and halts nothing: somebody else does business in this account.
What eats into the fenced part concerns the house, and halts.

A fence that is another one than before divides the opening anew, as if it had been so from the
beginning: what the house may no longer use leaves its books as soon as it is free.
"""

from schema.exchange import BalanceMoved, OrderReport, VenueTrade
from schema.orders import Deposit, OrderAdopted
from schema.units import iso_ms, to_text
from services.gateway.amounts import exact, least, minus, negative, parse, plus, times
from services.gateway.books import DIVIDED, EXTERNAL, OPENING
from services.gateway.state import Amount
from services.gateway.turn import Turn

BY = "gateway"
OUTSIDE = "outside of the ring fence"

Parts = tuple[tuple[str, Amount], ...]
"""Books, and what of a sum belongs into each."""


def fence_of(turn: Turn, asset: str) -> Amount | None:
    """Return how much of an asset the house may use; None: all.

    Of an asset that a fence does not name, nothing of what lies there is the house's.
    """
    rules = turn.rules.own.ring_fence
    if not rules:
        return None
    amounts = dict(rule.split(" ", 1) for rule in rules)
    return parse(amounts.get(asset, "0"))


def open_books(turn: Turn) -> None:
    """Say what the account held when the house first saw it."""
    for asset, free, locked in turn.windows.balances:
        total, fence = parse(free, locked), fence_of(turn, asset)
        ours = total if fence is None else least(total, fence)
        why = "what the account held when the house first saw it"
        parts = (("trading", ours), ("external", minus(total, ours)))
        _say(turn, asset, OPENING, parts, ("opening", why))


def divide_anew(turn: Turn) -> None:
    """Say what of the opening goes into another book, because the fence was changed."""
    books = turn.books
    for asset in sorted({*books.given, *books.spared}):
        given, spared = books.given.get(asset, Amount()), books.spared.get(asset, Amount())
        whole, fence = plus(given, spared), fence_of(turn, asset)
        change = minus(whole if fence is None else least(whole, fence), given)
        if change.n > 0:
            moved = least(change, _external(turn, asset))
        else:
            moved = negative(least(negative(change), _idle(turn, asset)))
        if moved.n * change.n > 0:
            parts = (("trading", moved), ("external", negative(moved)))
            _say(turn, asset, f"{DIVIDED}{turn.now_ns}", parts, ("adjustment", "a new ring fence"))


def take_moved(turn: Turn, moved: BalanceMoved) -> None:
    """Book a deposit or a withdrawal, once for ever; of what was there at first it is a part."""
    books = turn.books
    if not books.opened_ns or f"{moved.asset} {moved.venue_id}" in books.credited:
        return
    parts = _parts(turn, moved.asset, Amount(*exact(moved.delta)))
    _say(turn, moved.asset, moved.venue_id, parts, ("transfer", "the exchange said so"))
    turn.windows.sights.pop(moved.asset, None)
    eaten = dict(parts).get("trading", Amount())
    if eaten.n < 0 and fence_of(turn, moved.asset) is not None:
        _halt(turn, moved, to_text(-eaten.n, eaten.exp))


def take_difference(turn: Turn, asset: str, difference: Amount) -> bool:
    """Book what moved by itself outside of the fence; False when it is the house's to explain."""
    if fence_of(turn, asset) is None or not difference.n:
        return False
    if difference.n < 0 and minus(_external(turn, asset), negative(difference)).n < 0:
        return False
    name = f"outside-{turn.now_ns}{EXTERNAL}"
    parts = (("external", difference),)
    _say(turn, asset, name, parts, ("adjustment", f"it moved by itself, {OUTSIDE}"))
    return True


def bears_order(turn: Turn, report: OrderReport) -> bool:
    """Return whether the external book bears an order that was not made here; it is noted then."""
    left = minus(parse(report.qty), parse(report.executed_qty))
    px = parse(report.limit_px) if parse(report.limit_px).n else parse(report.stop_px)
    need = times(px, left) if report.side == "buy" else left
    return _bears(turn, report, need, report.client_order_id)


def bears_trade(turn: Turn, trade: VenueTrade) -> bool:
    """Return whether the external book bore an execution of somebody else's; it is noted then."""
    need = parse(trade.quote_qty if trade.side == "buy" else trade.qty)
    return _bears(turn, trade, need, trade.client_order_id)


def balances(turn: Turn) -> list[dict[str, str]]:
    """Return each asset as it is here and was at the exchange, with the difference that is proven.

    The exchange's figures are older than ours: what was traded since is no difference.
    """
    books = turn.books
    as_of = iso_ms(turn.windows.balances_ns) if turn.windows.balances_ns else ""
    seen = {asset: (parse(free), parse(locked)) for asset, free, locked in turn.windows.balances}
    rows = []
    for asset in sorted({*seen, *books.assets}):
        free, locked = seen.get(asset, (Amount(), Amount()))
        venue, external = plus(free, locked), _external(turn, asset)
        whole, fence = books.assets.get(asset, Amount()), fence_of(turn, asset)
        figures = {
            "ours": minus(whole, external),
            "external": external,
            "free": free,
            "locked": locked,
            "venue": venue,
            "difference": books.differences.get(asset, Amount()),
        }
        texts = {name: to_text(one.n, one.exp) for name, one in figures.items()}
        limit = to_text(fence.n, fence.exp) if fence is not None else ""
        rows.append({"asset": asset, **texts, "fence": limit, "as_of": as_of})
    return rows


def _bears(turn: Turn, order: OrderReport | VenueTrade, need: Amount, order_id: str) -> bool:
    base, _, quote = order.symbol.partition("/")
    asset = quote if order.side == "buy" else base
    if f"{order.symbol} {order.venue_order_id}" in turn.books.adopted:
        return True
    if fence_of(turn, asset) is None or need.n <= 0:
        return False
    if minus(_external(turn, asset), need).n < 0:
        return False
    turn.say(
        OrderAdopted(
            ts_event=turn.now_ns,
            symbol=order.symbol,
            venue_order_id=order.venue_order_id,
            client_order_id=order_id,
            by=BY,
            reason=f"it is {OUTSIDE}",
        )
    )
    return True


def _halt(turn: Turn, moved: BalanceMoved, amount: str) -> None:
    why = f"{amount} {moved.asset} of the ring fence went, by {moved.venue_id}"
    for symbol in sorted(turn.windows.instruments):
        if moved.asset in symbol.split("/"):
            turn.halt(symbol, why)


def _parts(turn: Turn, asset: str, amount: Amount) -> Parts:
    if fence_of(turn, asset) is None:
        return (("trading", amount),)
    if amount.n > 0:
        return (("external", amount),)
    borne = negative(least(negative(amount), _external(turn, asset)))
    return (("trading", minus(amount, borne)), ("external", borne))


def _say(turn: Turn, asset: str, name: str, parts: Parts, what: tuple[str, str]) -> None:
    kind, why = what
    for book, amount in parts:
        if not amount.n:
            continue
        outer = book == "external" and not name.endswith(EXTERNAL)
        turn.say(
            Deposit(
                ts_event=turn.now_ns,
                asset=asset,
                amount=amount.n,
                exp=amount.exp,
                venue_id=f"{name}{EXTERNAL}" if outer else name,
                book=book,
                reason=why,
                kind=kind,
            )
        )


def _idle(turn: Turn, asset: str) -> Amount:
    """Return how much of an asset the house has that neither a position nor an order is made of."""
    books = turn.books
    left = minus(books.assets.get(asset, Amount()), _external(turn, asset))
    for symbol, held in books.positions.items():
        if held.n > 0 and symbol.partition("/")[0] == asset:
            left = minus(left, held)
    for name, _, locked in turn.windows.balances:
        left = minus(left, parse(locked)) if name == asset else left
    return left


def _external(turn: Turn, asset: str) -> Amount:
    return turn.books.external.get(asset, Amount())
