"""The last stops, kept while the engine gives no sign of life.

A position with a known stop that no resting stop covers gets one at the exchange; where the
exchange takes none the price is watched, and once it has passed the stop, the position is closed
within the collar. Whoever comes back finds these orders on the stream, as orders of his own.

The rule of time: `engine_silence_ms` after the engine's last sign of life, and `LOOK_MS` and the
exchange's answers later, a stop rests or the position is being closed. An exchange that forbids
requests or refuses the stop is tried again within the longest of BACKOFF_MS.
"""

from schema.exchange import TopSeen
from schema.head import Side
from schema.house import PeerSeen
from schema.instruments import VENUE_TYPES, check
from schema.market import Instrument
from schema.trading import OrderIntent
from schema.units import order_qty, rescale, trigger_px, widened
from services.gateway import cancels
from services.gateway.closing import Part, at_once, closing
from services.gateway.join import own_verdict, submit
from services.gateway.position import closable, is_covered
from services.gateway.questions import ask_top
from services.gateway.stakes import GUARD, STOP, orders_of
from services.gateway.state import Amount, Pace, Stake
from services.gateway.turn import Turn

ENGINE = "engine"
ALIVE = frozenset({"READY", "DEGRADED", "CATCHING_UP"})
"""States in which the engine minds its stops itself."""

RESTING = frozenset({"GTC", "GTD"})
LOOK_MS = 1_000
"""Wall time between two looks at the price of a position whose stop cannot rest."""

REFUSED_MS = 30_000
"""Until an order that the exchange's filters forbid, mostly one too small, is thought of again."""

WHY = "the engine is silent, and the position's last stop is kept"


def hear_engine(turn: Turn, seen: PeerSeen) -> None:
    """Note since when the engine gives no sign of life."""
    windows = turn.windows
    if seen.state in ALIVE:
        windows.engine_lost_ns, windows.guarding = 0, {}
    elif not windows.engine_lost_ns:
        # That it is silent is told when the silence has lasted for as long as it is borne.
        waited_ns = _silence_ns(turn) if seen.state == "SILENT" else 0
        windows.engine_lost_ns = max(1, turn.now_ns - waited_ns)


def _silence_ns(turn: Turn) -> int:
    return turn.span_ns(turn.rules.own.engine_silence_ms)


def is_silent(turn: Turn) -> bool:
    """Return whether nobody minds the stops but the gateway."""
    lost_ns = turn.windows.engine_lost_ns
    return lost_ns > 0 and turn.due(lost_ns + _silence_ns(turn))


def told(turn: Turn) -> str:
    """Return what is done in the engine's place, in one line; empty while it lives."""
    if not is_silent(turn):
        return ""
    resting = sum(1 for order in turn.books.open.values() if order.intent.leg == STOP)
    watched = [key for key, stake in turn.books.stakes.items() if _room(turn, key, stake)]
    more = f", {len(watched)} watched" * bool(watched)
    return f"engine silent: {resting} stops kept{more}"


def settle(turn: Turn) -> None:
    """While the engine is silent, look at every position that its stops do not cover."""
    if not is_silent(turn) or not _minds(turn):
        return
    for key, stake in turn.books.stakes.items():
        if not _gap(turn, key, stake).n:
            turn.windows.guarding.pop(key, None)
            continue
        _make_room(turn, key, stake)
        pace = turn.windows.guarding.setdefault(key, Pace())
        if _room(turn, key, stake) and turn.due(pace.next_ns):
            ask_top(turn, stake.symbol)


def _minds(turn: Turn) -> bool:
    windows = turn.windows
    if windows.clock is None or windows.reconciled is None:
        return False
    return turn.books.level != "FLATTEN"  # That closes everything itself.


def _gap(turn: Turn, key: str, stake: Stake) -> Amount:
    """Return how much of a position neither a resting stop nor a pair covers."""
    gap = Amount(abs(stake.held.n), stake.held.exp)
    if not (gap.n and stake.stop_px and stake.strategy):
        return Amount()
    for order in orders_of(turn.books, key):
        stops = order.intent.leg == STOP and _closes(stake, order.intent)
        if stops and not is_covered(turn.books, order):
            exp = max(gap.exp, order.exp)
            left = rescale(gap.n, gap.exp, exp) - rescale(order.left, order.exp, exp)
            gap = Amount(max(0, left), exp)
    return gap


def _closes(stake: Stake, intent: OrderIntent) -> bool:
    return intent.side == ("sell" if stake.held.n > 0 else "buy")


def _make_room(turn: Turn, key: str, stake: Stake) -> None:
    # What rests to close at a gain holds the coins that the stop needs.
    for order in orders_of(turn.books, key):
        intent = order.intent
        rests = intent.order_type != "market" and intent.time_in_force in RESTING
        if rests and intent.leg != STOP and not intent.oco and _closes(stake, intent):
            cancels.wish(turn, order, WHY)


def _room(turn: Turn, key: str, stake: Stake) -> int:
    """Return how much one order may close: never more than the position, whatever else rests."""
    instrument = turn.windows.instruments.get(stake.symbol)
    if instrument is None:
        return 0
    gap, side = _gap(turn, key, stake), "sell" if stake.held.n > 0 else "buy"
    most = closable(turn.books, stake.symbol, side, instrument.qty_exp)
    fine = max(gap.exp, instrument.qty_exp)
    wanted = rescale(gap.n, gap.exp, fine) // int(10 ** (fine - instrument.qty_exp))
    return order_qty(min(wanted, most), instrument.lot)


def take_top(turn: Turn, top: TopSeen) -> None:
    """Rest the stops that this price allows, and close what is beyond its stop."""
    if not is_silent(turn) or not _minds(turn) or turn.banned():
        return
    instrument = turn.windows.instruments.get(top.symbol)
    for key, stake in turn.books.stakes.items():
        pace = turn.windows.guarding.get(key)
        if stake.symbol == top.symbol and pace is not None and instrument is not None:
            pace.next_ns = turn.now_ns + turn.span_ns(LOOK_MS)
            _keep(turn, key, stake, instrument, top)


def _keep(turn: Turn, key: str, stake: Stake, instrument: Instrument, top: TopSeen) -> None:
    qty = _room(turn, key, stake)
    part = Part(stake.strategy, stake.held.n > 0, qty, f"{GUARD}{turn.books.guards + 1}")
    passed = _is_passed(stake, top)
    intent = None
    if passed:
        intent = at_once(turn, instrument, top, part)
    elif VENUE_TYPES[STOP] in instrument.order_types:
        intent = _stop(turn, instrument, stake, part)
    if intent is None:
        return
    pace = turn.windows.guarding[key]
    if check(instrument, intent) is None:
        turn.later(pace)
        submit(turn, intent, own_verdict(turn, intent, WHY))
    else:
        pace.next_ns = turn.now_ns + turn.span_ns(REFUSED_MS)


def _is_passed(stake: Stake, top: TopSeen) -> bool:
    sells = stake.held.n > 0
    px, exp = widened(top.bid if sells else top.ask, stake.px_exp)
    if px <= 0:
        return False  # An empty side of the book is no price.
    stop_px = rescale(stake.stop_px, stake.px_exp, exp)
    return px <= stop_px if sells else px >= stop_px


def _stop(turn: Turn, instrument: Instrument, stake: Stake, part: Part) -> OrderIntent:
    fine = max(stake.px_exp, instrument.px_exp)
    px = rescale(stake.stop_px, stake.px_exp, fine) // int(10 ** (fine - instrument.px_exp))
    most = instrument.market_max_qty or instrument.max_qty or part.qty
    side: Side = "sell" if part.sells else "buy"
    return closing(
        turn,
        instrument,
        part,
        order_type="stop",
        qty=order_qty(min(part.qty, most), instrument.lot),
        stop_px=trigger_px(px, instrument.tick, side, "stop"),
        leg=STOP,
    )
