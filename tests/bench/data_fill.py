"""`rrr data fetch` of a month of minutes from the venue, beside the bare requests for the same."""

import http.client
from collections.abc import Iterator

from bus.house import House as Home
from bus.house import open_house
from schema.units import MS_NS
from services.rrr.data_fetch import Plan, fetch_all
from services.rrr.data_fetching import Fetched
from services.rrr.data_origin import place_of
from services.rrr.survey import running_house
from tests.bench.bus_house import ROOT, House, clock
from tests.bench.figure import Figure
from tests.ports import free_port

DAYS = 30
NAMES = ("BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LTC", "BCH", "TRX", "XLM")
SYMBOLS = tuple(f"{name}/USDT" for name in NAMES)
PAGE_MS = 60_000_000


def measure() -> Iterator[Figure]:
    """Time a month of ten symbols, in turns: each way is the first at the venue for half of them.

    What nobody asked for before the venue has to make.
    """
    with House() as house:
        listed = ", ".join(f'"{symbol}"' for symbol in SYMBOLS)
        house.environ |= {
            "RRR_HOUSE__NUMBER": "53",
            "RRR_CLOCK__SCALE": "1",
            "RRR_VENUE__SYMBOL": f"[{listed}]",
            "RRR_VENUE__HISTORY_DAYS": str(DAYS + 1),
            "RRR_PORTS__VENUE": str(free_port()),
            "RRR_INGEST__WEIGHT_SHARE": "0.8",
        }
        house.start("venue", "services.venue")
        house.await_ready("venue")
        home = running_house(open_house(ROOT, house.environ))
        spent = [_in_turns(home, symbol, ours_first=n % 2 == 0) for n, symbol in enumerate(SYMBOLS)]
    ours, raw = (sum(column) for column in zip(*spent, strict=True))
    yield Figure("data.backfill", ours, raw, f"s/{DAYS} days of {len(SYMBOLS)} symbols")


def _in_turns(home: Home, symbol: str, *, ours_first: bool) -> tuple[float, float]:
    now_ns = clock.wall_ns()
    span = (now_ns - DAYS * 86_400_000_000_000, now_ns)
    if ours_first:
        return _fetched_s(home, symbol), _asked_s(home, symbol, span)
    raw = _asked_s(home, symbol, span)
    return _fetched_s(home, symbol), raw


def _fetched_s(home: Home, symbol: str) -> float:
    done: list[Fetched] = []
    plan = Plan((symbol,), ("1m",), f"{DAYS}d", "", newest_first=False, again=False)
    begun_ns = clock.mono_ns()
    fetch_all(home, place_of(home), plan, clock, done, archive=False)
    spent_s = (clock.mono_ns() - begun_ns) / 1e9
    assert done[0].added > (DAYS - 1) * 1_440
    return spent_s


def _asked_s(home: Home, symbol: str, span: tuple[int, int]) -> float:
    begun_ns = clock.mono_ns()
    line = http.client.HTTPConnection("127.0.0.1", home.settings.ports.venue)
    for start_ms in range(span[0] // MS_NS, span[1] // MS_NS, PAGE_MS):
        end_ms = min(start_ms + PAGE_MS, span[1] // MS_NS) - 1
        query = f"startTime={start_ms}&endTime={end_ms}&limit=1000"
        name = symbol.replace("/", "")
        line.request("GET", f"/api/v3/klines?symbol={name}&interval=1m&{query}")
        answer = line.getresponse()
        assert answer.status == http.client.OK, answer.read()
        answer.read()
    line.close()
    return (clock.mono_ns() - begun_ns) / 1e9
