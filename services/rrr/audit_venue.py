"""What the exchange itself knows, held against the fold: of the local one all that it keeps.

The local venue's account is on the disk before anything is said of it, so its file is the truth
and needs no key. Of a real exchange only what the gateway was told last is here.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from bus.errors import HouseError
from services.rrr.audit_fold import Fold
from services.rrr.audit_money import atoms, text_of
from services.venue.account import EXP
from services.venue.orders import Fill, Order
from services.venue.records import Records
from services.venue.store import account_path, read

RESTING = ("ACCEPTED", "TRIGGERED", "PARTIALLY_FILLED")


class Venue(msgspec.Struct):
    """The account as the local venue keeps it."""

    balances: dict[str, int] = {}
    orders: list[Order] = []
    fills: list[Fill] = []
    why_not: str = ""


def read_venue(world_dir: Path) -> Venue:
    """Return the account of a world's own venue; nothing is changed."""
    path = account_path(world_dir / "venue")
    try:
        records, _ = read(path, path.read_bytes())
    except FileNotFoundError:
        return Venue(why_not="no account of a local venue is kept here")
    except OSError as error:
        return Venue(why_not=f"{path} cannot be read: {error.strerror}")
    except HouseError as error:
        return Venue(why_not=error.what)
    return _account(records or Records())


def _account(records: Records) -> Venue:
    held = records.account.balances
    balances = {asset: atoms(one.free + one.locked, EXP) for asset, one in held.items()}
    return Venue(balances, list(records.orders.values()), list(records.fills.values()))


def compare(venue: Venue, fold: Fold, *, gateway: bool) -> tuple[list[str], list[str]]:
    """Return what differs, and what the gateway, while it is down, has yet to hear."""
    ids = {order.id: order.client_id for order in venue.orders}
    lost = {fill.id: text for fill, text in _trades(venue, fold, ids)}
    # The end of an order is said when all its executions are: only of an open one may some come.
    news = [
        lost.pop(fill.id)
        for fill in venue.fills
        if fill.id in lost and not gateway and ids[fill.order_id] in fold.open_orders()
    ]
    found = [*lost.values(), *_doubled(venue, fold), *_unknown(venue, fold)]
    if not news:
        found += [*_balances(venue, fold), *_resting(venue, fold)]
    return found, news


def _trades(venue: Venue, fold: Fold, ids: dict[int, str]) -> Iterable[tuple[Fill, str]]:
    ours = {(symbol.replace("/", ""), trade) for symbol, trade in fold.trades}
    strangers = _strangers(fold)
    for fill in venue.fills:
        foreign = ids.get(fill.order_id, "") not in fold.orders
        if foreign and str(fill.order_id) in strangers:
            continue
        if (fill.symbol, str(fill.id)) not in ours:
            whose = "somebody else's" if foreign else ids[fill.order_id]
            text = f"trade {fill.id} of {fill.symbol}, order {whose}: the journals lack it"
            yield fill, text


def _strangers(fold: Fold) -> set[str]:
    words = [word for _, halt in fold.halts for word in halt.reason.split()]
    return {word.strip(",.:;") for word in words} | fold.adopted


def _unknown(venue: Venue, fold: Fold) -> Iterable[str]:
    there = {(fill.symbol, str(fill.id)): fill for fill in venue.fills}
    for (symbol, trade), (pos, said) in fold.trades.items():
        fill = there.get((symbol.replace("/", ""), trade))
        if fill is None:
            yield f"trade {trade} of {symbol}, gateway.order {pos}: the venue has no such fill"
            continue
        ours = (atoms(said.quote_qty, said.quote_exp), atoms(said.fee, said.fee_exp))
        theirs = (atoms(fill.money, EXP), atoms(fill.fee, EXP))
        if ours != theirs:
            yield (
                f"trade {trade} of {symbol}: {text_of(ours[0])} and a fee of {text_of(ours[1])} "
                f"said, {text_of(theirs[0])} and {text_of(theirs[1])} at the venue"
            )


def _doubled(venue: Venue, fold: Fold) -> Iterable[str]:
    counts = Counter(order.client_id for order in venue.orders)
    for key, count in counts.items():
        if key in fold.orders and count > 1:
            yield f"order {key} stands {count} times at the venue"


def _balances(venue: Venue, fold: Fold) -> Iterable[str]:
    held = fold.money.whole()
    for asset in sorted({*venue.balances, *held}):
        theirs, ours = venue.balances.get(asset, 0), held.get(asset, 0)
        if theirs != ours:
            yield f"{asset}: {text_of(theirs)} at the venue, {text_of(ours)} here"


def _resting(venue: Venue, fold: Fold) -> Iterable[str]:
    there = {order.client_id: order for order in venue.orders}
    for key, known in fold.open_orders().items():
        order = there.get(key)
        if known.state in RESTING and (order is None or not order.open):
            stands = order.status if order is not None else "no order"
            yield f"order {key}: {known.state} here, {stands} at the venue"
    for order in venue.orders:
        own = fold.orders.get(order.client_id)
        if order.open and own is not None and order.client_id not in fold.open_orders():
            yield f"order {order.client_id}: open at the venue, {own.state} here"
