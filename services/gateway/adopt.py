"""What a person knows of and the house did not do: orders of others, money that moved by itself.

An order that is adopted is shown and counted, and halts nothing more. A difference that is adopted
becomes a deposit of exactly that amount, so that everybody's books agree again: in the trading book
it is the house's to trade with, in the external one it is not.

The ring-fenced balance is what the books hold of the assets that our symbols are made of. Money
that moves inside it by itself halts every symbol that the asset is a half of, for exits may find
less than they count on; of any other asset it is shown and counted. Adopting the difference lets
those symbols trade again, unless something else has halted them, too.
"""

from schema.orders import BalanceSeen, Deposit, InstrumentHalted, InstrumentResumed, OrderAdopted
from schema.units import to_text
from services.gateway.amounts import exact, minus, parse, plus, same, scaled
from services.gateway.answers import stranger
from services.gateway.books import UNEXPLAINED
from services.gateway.questions import traded
from services.gateway.resolve import AMOUNT, RefusedError
from services.gateway.state import Amount
from services.gateway.turn import Turn

BOOKS = ("external", "trading")
VENUE_ID = "adopted"
ORDER = "order"


def preview(turn: Turn, args: tuple[str, ...]) -> list[str]:
    """Return what an adoption would do, line by line; RefusedError for one that cannot be."""
    match args:
        case "order", symbol, venue_id:
            _require_stranger(turn, symbol, venue_id)
            halted = turn.books.halted.get(symbol)
            after = f'; then `rrr resume {symbol} "why"`' if halted is not None else ""
            seen = turn.windows.externals.get(f"{symbol} {venue_id}")
            what = f"{seen.side} {seen.qty}, {seen.executed_qty} of it filled" if seen else "ended"
            return [
                f"order {venue_id} of {symbol}, which was not made here: {what}",
                f"it is shown and counted, and never touched{after}",
            ]
        case "balance", asset, delta, book:
            found = _require_difference(turn, asset, delta, book)
            text = to_text(found.n, found.exp)
            whose = "the house's to trade with" if book == "trading" else "not the house's to trade"
            freed = " ".join(_freed(turn, asset)) or "nothing"
            return [
                f"{text} {asset} goes into the {book} book: it is {whose}",
                f"the books then hold what the exchange holds; it lets go on: {freed}",
            ]
    raise RefusedError("expected an order or a balance to adopt")


def adopt_order(turn: Turn, symbol: str, venue_id: str, by: str, why: str) -> str:
    """Say that a person knows of an order that was not made here."""
    _require_stranger(turn, symbol, venue_id)
    seen = turn.windows.externals.get(f"{symbol} {venue_id}")
    turn.say(
        OrderAdopted(
            ts_event=turn.now_ns,
            symbol=symbol,
            venue_order_id=venue_id,
            client_order_id=seen.client_order_id if seen is not None else "",
            by=by,
            reason=why,
        )
    )
    return f"order {venue_id} of {symbol} is known from here on, and never touched"


def adopt_balance(turn: Turn, asset: str, delta: str, book: str, by: str, why: str) -> str:
    """Book a difference that a person can explain, and let its symbols trade again."""
    found = _require_difference(turn, asset, delta, book)
    turn.say(
        Deposit(
            ts_event=turn.now_ns,
            asset=asset,
            amount=found.n,
            exp=found.exp,
            venue_id=f"{VENUE_ID}-{turn.now_ns}",
            book=book,
            reason=f"{by}: {why}",
            kind="adjustment",
        )
    )
    turn.windows.sights = {}
    say_balance(turn, asset, *_shown(turn, asset), Amount())
    freed = _freed(turn, asset)
    for symbol in freed:
        turn.say(InstrumentResumed(ts_event=turn.now_ns, symbol=symbol, by=by, reason=why))
    turn.tell_level()
    names = f"; {' '.join(freed)} may be traded again" if freed else ""
    return f"{to_text(found.n, found.exp)} {asset} is in the {book} book{names}"


def say_balance(turn: Turn, asset: str, free: Amount, locked: Amount, difference: Amount) -> None:
    """Say what the exchange shows of an asset, and how far that is off the books."""
    exp = max(free.exp, locked.exp, difference.exp)
    turn.say(
        BalanceSeen(
            ts_event=turn.now_ns,
            asset=asset,
            free=scaled(free.n, free.exp, exp),
            locked=scaled(locked.n, locked.exp, exp),
            difference=scaled(difference.n, difference.exp, exp),
            exp=exp,
        )
    )


def halt_for(turn: Turn, asset: str, difference: Amount) -> None:
    """Halt every symbol that an asset is a half of, for what nobody can explain."""
    if not difference.n:
        return
    why = f"{UNEXPLAINED}{asset}: {to_text(difference.n, difference.exp)} off the books"
    for symbol in sorted(traded(turn)):
        if asset in symbol.split("/") and symbol not in turn.books.halted:
            turn.say(InstrumentHalted(ts_event=turn.now_ns, symbol=symbol, reason=why))
            turn.tell_level()


def unexplained_of(turn: Turn, symbol: str) -> str:
    """Return the asset of a symbol whose balance nobody can explain; empty for none."""
    named = turn.books.differences
    return next((one for one in symbol.split("/") if named.get(one, Amount()).n), "")


def _freed(turn: Turn, asset: str) -> list[str]:
    """Return the symbols that nothing halts but an asset's difference."""
    return [
        symbol
        for symbol, stop in turn.books.halted.items()
        if stop.why.startswith(UNEXPLAINED)
        and asset in symbol.split("/")
        and all(
            one == asset or not turn.books.differences.get(one, Amount()).n
            for one in symbol.split("/")
        )
    ]


def _require_stranger(turn: Turn, symbol: str, venue_id: str) -> None:
    key = f"{symbol} {venue_id}"
    if key in turn.books.adopted:
        raise RefusedError(f"order {venue_id} of {symbol} is adopted already")
    if f"{symbol} {stranger(venue_id)}" not in turn.books.told:
        known = " ".join(name.partition(" ")[2] for name in turn.books.strangers)
        seen = f"; those of others are {known}" if known else ""
        raise RefusedError(f"no order {venue_id} of somebody else was seen in {symbol}{seen}")


def _require_difference(turn: Turn, asset: str, delta: str, book: str) -> Amount:
    if book not in BOOKS:
        raise RefusedError(f"{book!r} is no book: expected {' or '.join(BOOKS)}")
    if not AMOUNT.fullmatch(delta):
        raise RefusedError(f"{delta!r} is no plain decimal number")
    found = turn.books.differences.get(asset, Amount())
    if not found.n:
        raise RefusedError(f"the balance of {asset} is as it should be: nothing is to be adopted")
    wanted = Amount(*exact(delta))
    now = turn.windows.sights.get(asset)
    if not same(found, wanted) or (now is not None and not same(found, now)):
        right = to_text((now or found).n, (now or found).exp)
        raise RefusedError(f"{delta} is not the difference of {asset}: it is {right} now")
    if not _is_fresh(turn, asset, found):
        raise RefusedError("balances are being compared just now: ask again in a moment")
    return found


def _is_fresh(turn: Turn, asset: str, found: Amount) -> bool:
    # What the exchange showed last, against the books as they are: both may have moved since.
    free, locked = _shown(turn, asset)
    total = plus(free, locked)
    return same(minus(total, turn.books.assets.get(asset, Amount())), found)


def _shown(turn: Turn, asset: str) -> tuple[Amount, Amount]:
    for name, free, locked in turn.windows.balances:
        if name == asset:
            return parse(free), parse(locked)
    return Amount(), Amount()
