"""What the books cost: fills folded with every assertion on, and all with 10,000 positions."""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from bus.clock import SystemClock
from schema.exchange import ClockSeen
from schema.house import Command, PeerSeen
from schema.identity import client_order_id
from schema.ledger import Ledger, book, deposit
from schema.market import Quote
from schema.orders import Deposit, Fill
from services.engine.books import FOLDS
from services.engine.hearing import hear_quote
from services.engine.line import Pass, Terms
from services.engine.portfolio import portfolios, positions_after
from services.engine.state import State
from services.engine.valuation import Valuation
from services.gateway import account
from services.gateway.core import Gateway
from tests.bench.figure import Figure
from tests.services.shipped import shipped

FILLS = 20_000
FEW, MANY = 10, 10_000
ROUNDS = 9
SEED = 7
SIDES = ("buy", "buy", "sell")
NOW_NS = 1_750_000_000_000_000_000
SECOND_NS = 1_000_000_000
UNIT = 10**8
_clock = SystemClock()


def books() -> Iterator[Figure]:
    """Fold fills into the ledger, and say what it comes to with ten thousand positions."""
    story = fills(FILLS, FEW)
    raw = FILLS / _best_s(lambda: _bare(story))
    yield Figure("core.fold", _folded(FEW), raw, "fills/s")
    yield Figure("core.fold.10000", _folded(MANY), raw, "fills/s")
    yield from _valued()
    yield from _gateway()


def fills(count: int, symbols: int) -> list[Fill]:
    """Return fills of both sides in so many symbols, with fees in quote and in base."""
    chance = Random(SEED)
    found = []
    for n in range(count):
        base = f"A{n % symbols}"
        px, qty = chance.randrange(1_000, 100_000), chance.randrange(1, 10_000)
        in_base = chance.random() < 0.2
        found.append(_fill(n, base, chance.choice(SIDES), px, qty, in_base=in_base))
    return found


def _fill(n: int, base: str, side: str, px: int, qty: int, *, in_base: bool) -> Fill:
    return Fill(
        ts_event=NOW_NS,
        client_order_id=client_order_id("bench", "pulse", base, "moment", 0),
        symbol=f"{base}/USDT",
        side="sell" if side == "sell" else "buy",
        venue_order_id=str(n),
        venue_trade_id=str(n),
        px=px,
        qty=qty,
        quote_qty=px * qty,
        fee=qty // 10 if in_base else px * qty // 1_000,
        fee_asset=base if in_base else "USDT",
        maker=False,
        px_exp=2,
        qty_exp=5,
        quote_exp=7,
        fee_exp=7,
    )


def money() -> Deposit:
    """Return enough to buy with."""
    return Deposit(ts_event=NOW_NS, asset="USDT", amount=10**9 * UNIT, exp=8, venue_id="opening")


def _folded(symbols: int) -> float:
    story, opened = fills(FILLS, symbols), money()

    def run() -> None:
        ledger = Ledger()
        deposit(ledger, opened)
        for fill in story:
            book(ledger, fill)

    return FILLS / _best_s(run)


def _bare(story: list[Fill]) -> None:
    """Keep cash and quantities as floats, and prove nothing."""
    cash, held = 0.0, dict[str, float]()
    for fill in story:
        sign = 1 if fill.side == "buy" else -1
        cash -= sign * fill.quote_qty / 1e7 + fill.fee / 1e7
        held[fill.symbol] = held.get(fill.symbol, 0.0) + sign * fill.qty / 1e5


def _valued() -> Iterator[Figure]:
    state, story = State(), fills(MANY, MANY)
    FOLDS[Deposit](state.books, money())
    for fill in story:
        FOLDS[Fill](state.books, fill)
        hear_quote(state.windows, _quote(fill))
    turn = Pass(state, _terms(), NOW_NS)
    kept = Valuation()
    portfolios(turn, kept)
    more = iter(fills(MANY + 1_000, MANY)[MANY:])

    def after_a_fill() -> None:
        fill = next(more)
        FOLDS[Fill](state.books, fill)
        positions_after(turn, fill)
        portfolios(turn, kept)

    ours_s = min(_timed_s(after_a_fill) for _ in range(500))

    def from_nothing() -> None:
        portfolios(turn, Valuation())

    raw_s = _best_s(from_nothing)
    yield Figure("core.snapshot.10000", ours_s * 1e6, raw_s * 1e6, "us/fill")


def _quote(fill: Fill) -> Quote:
    return Quote(
        ts_event=NOW_NS,
        symbol=fill.symbol,
        bid_px=fill.px - 1,
        ask_px=fill.px + 1,
        bid_qty=1,
        ask_qty=1,
        px_exp=2,
        qty_exp=5,
    )


def _terms() -> Terms:
    return Terms(
        world="bench",
        symbols=("A0/USDT",),
        ttl_ns=SECOND_NS,
        stale_ns=10 * SECOND_NS,
        snapshot_ns=60 * SECOND_NS,
        resize_pct=0,
        reserve_bps=10,
        fee_bps=10,
    )


def _gateway() -> Iterator[Figure]:
    few, many = _opened(FEW), _opened(MANY)

    def snapshot(core: Gateway) -> None:
        account.told(core.state.books, NOW_NS)

    def turn(core: Gateway) -> None:
        core.handle(PeerSeen(service="ingest", state="READY"), NOW_NS)

    def status(core: Gateway) -> None:
        core.handle(Command(request_id="1", verb="stops", args=(), by="bench"), NOW_NS)

    for name, run in (("account", snapshot), ("turn", turn), ("status", status)):
        ours, raw = _best_s(partial(run, many)), _best_s(partial(run, few))
        yield Figure(f"core.{name}.10000", ours * 1e3, raw * 1e3, "ms")


def _opened(symbols: int) -> Gateway:
    """Return a gateway that holds so many positions, and looks after them."""
    core = Gateway(shipped(), "bench")
    core.apply(money())
    for fill in fills(symbols, symbols):
        core.apply(fill)
    wall_ms = NOW_NS // 1_000_000
    core.state.windows.reconciled, core.state.windows.reconciled_ns = {}, NOW_NS
    core.handle(ClockSeen(wall_ms=wall_ms, market_ns=NOW_NS, scale=1.0, offset_ms=0), NOW_NS)
    return core


def _best_s(run: Callable[[], None]) -> float:
    return min(_timed_s(run) for _ in range(ROUNDS))


def _timed_s(run: Callable[[], None]) -> float:
    begun_ns = _clock.mono_ns()
    run()
    return (_clock.mono_ns() - begun_ns) / 1e9
