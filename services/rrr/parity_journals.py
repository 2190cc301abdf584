"""Reads from the journals what a house said of one strategy, and when its engine did not run."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from bus.errors import HouseError
from bus.house import House
from bus.intake import read_body
from bus.journal import open_reader
from bus.record import JournalReader
from bus.segments import bases
from schema.forecast import Forecast
from schema.frame import epoch_of, position
from schema.head import Cause, Message
from schema.house import Bye, EpochOpened, Recovered
from schema.identity import house_tag, strategy_tag, tag_of
from schema.market import Bar, Instrument
from schema.orders import Fill
from schema.strategy import Offer, StrategyLoaded, StrategyState
from schema.streams import STREAMS
from schema.units import DAY_NS, MINUTE_NS, iso
from services.backtest.parity_day import BarKey, Day, Down, Word
from services.rrr.digging import directory_of, holding
from services.rrr.ears import Seen, opened
from services.rrr.lab_time import wall_since_ns
from services.rrr.parity_heard import late_bars
from services.rrr.said import said_since

INTENT, ORDER, BAR, FORECAST, FEED = (
    "engine.intent",
    "gateway.order",
    "ingest.bar",
    "predictor.forecast",
    "ingest.feed",
)
GATEWAY = "gateway"
"""Whose tag the orders carry by which the gateway closes what there is."""

STATEFUL = "class State"


class Span(msgspec.Struct, frozen=True):
    """The stretch of market time that is looked at."""

    from_ns: int
    until_ns: int


def day_of(house: House, strategy: str, span: Span, symbol: str) -> Day:
    """Return what the journals hold; HouseError where they no longer reach back."""
    _require_kept(house, span)
    words = _words(house, strategy, span)
    offer = _running(words, span)
    wall_ns = wall_since_ns(house, span.from_ns)
    foreseen = offer is None or any("forecast" in text for _, text in offer.files)
    bars, told = _bars(house, span, wall_ns)
    heard = {cause: bar.ts_event for cause, bar in told.items()}
    forecasts, foreseen_at = _forecasts(house, span, wall_ns) if foreseen else ((), {})
    return Day(
        strategy=strategy,
        from_ns=span.from_ns,
        until_ns=span.until_ns,
        words=words,
        bars=bars,
        forecasts=forecasts,
        dues=heard | foreseen_at,
        instruments=_instruments(house, span),
        downs=tuple(_downs(house.journal_dir, span)),
        late=late_bars(house.journal_dir, told),
        symbol=symbol,
        simulated=house.described.mode == "local",
    )


def _words(house: House, strategy: str, span: Span) -> tuple[Word, ...]:
    found = [*_engine(house, strategy, span), *_gateway(house, strategy, span)]
    found.sort(key=lambda seen: (seen.ts_ns, STREAMS[seen.stream].number, seen.pos))
    return tuple(Word(seen.ts_ns, seen.message) for seen in found)


def _engine(house: House, strategy: str, span: Span) -> Iterator[Seen]:
    """Yield what the engine said of a strategy, newest first, as far back as it matters."""
    needle = msgspec.msgpack.encode(strategy)
    wanted: set[str] | None = None  # symbols whose state before the day is looked for
    for frame in holding(house.journal_dir, STREAMS[INTENT], needle):
        for seen in reversed(opened(frame)):
            message = seen.message
            if getattr(message, "strategy", "") != strategy or message.ts_event >= span.until_ns:
                continue
            yield seen
            if message.ts_event >= span.from_ns:
                continue
            if isinstance(message, StrategyLoaded) and wanted is None:
                wanted = _stateful(message.offer)
            elif isinstance(message, StrategyState) and wanted is not None:
                wanted.discard(message.symbol)
        if wanted is not None and not wanted:
            return


def _stateful(offer: Offer) -> set[str]:
    holds = any(STATEFUL in text for _, text in offer.files)
    return set(offer.symbols) if holds else set()


def _gateway(house: House, strategy: str, span: Span) -> list[Seen]:
    found: dict[int, Seen] = {}
    for owner in (strategy, GATEWAY):
        tag = strategy_tag(owner)
        needle = f"{house_tag(house.world)}{tag}".encode()
        for frame in holding(house.journal_dir, STREAMS[ORDER], needle):
            for seen in opened(frame):
                if _is_ours(seen.message, owner, tag) and seen.message.ts_event < span.until_ns:
                    found[seen.pos] = seen
    return list(found.values())


def _is_ours(message: Message, owner: str, tag: str) -> bool:
    if tag_of(getattr(message, "client_order_id", "")) != tag:
        return False
    return owner != GATEWAY or isinstance(message, Fill)


def _running(words: tuple[Word, ...], span: Span) -> Offer | None:
    loaded = [one.message for one in words if isinstance(one.message, StrategyLoaded)]
    fitting = [one.offer for one in loaded if one.ts_event < span.until_ns]
    return fitting[-1] if fitting else None


def _bars(house: House, span: Span, wall_ns: int) -> tuple[dict[BarKey, Bar], dict[Cause, Bar]]:
    first_ns = span.from_ns - DAY_NS  # What a strategy sees at the begin of its day as well.
    found: dict[BarKey, Bar] = {}
    told: dict[Cause, Bar] = {}
    for seen in said_since(house.journal_dir, BAR, max(0, wall_ns - DAY_NS)):
        bar = seen.message
        if isinstance(bar, Bar) and first_ns <= bar.open_ns < span.until_ns:
            # The engine decides on the first that it hears of a time, and never on a correction.
            key = bar.symbol, bar.timeframe, bar.open_ns
            if found.setdefault(key, bar) is bar:
                told[STREAMS[BAR].number, seen.pos] = bar
    return found, told


def _forecasts(
    house: House, span: Span, wall_ns: int
) -> tuple[tuple[Forecast, ...], dict[Cause, int]]:
    found: list[Forecast] = []
    dues: dict[Cause, int] = {}
    for seen in said_since(house.journal_dir, FORECAST, wall_ns):
        one = seen.message
        if isinstance(one, Forecast) and span.from_ns <= one.ts_event < span.until_ns:
            found.append(one)
            dues[STREAMS[FORECAST].number, seen.pos] = one.ts_event
    return tuple(sorted(found, key=lambda one: one.ts_event)), dues


def _instruments(house: House, span: Span) -> dict[str, Instrument]:
    return {
        message.symbol: message
        for message in _said(house, FEED, 0)
        if isinstance(message, Instrument) and message.ts_event < span.until_ns
    }


def _said(house: House, name: str, wall_ns: int) -> Iterator[Message]:
    return (seen.message for seen in said_since(house.journal_dir, name, wall_ns))


def _require_kept(house: House, span: Span) -> None:
    begun = next(_lives(house.journal_dir), None)
    if begun is None:
        raise HouseError(
            f"no journal of {INTENT} is in {house.journal_dir}",
            "Ask it where the house runs: a day that nobody traded has nothing to compare",
        )
    opening, _ = begun
    if opening.ts_event >= span.until_ns or (opening.prev_pos and opening.ts_event > span.from_ns):
        kept = STREAMS[INTENT].retention_days
        raise HouseError(
            f"what the engine said of that day is no longer kept, or it did not run yet: the "
            f"journal begins at {iso(opening.ts_event)}",
            f"Journals of {INTENT} are kept {kept} days: ask for a later day",
        )


def _downs(journals: Path, span: Span) -> Iterator[Down]:
    stream = STREAMS[INTENT]
    reader = open_reader(directory_of(journals, stream), stream)
    try:
        for opening, back_ns in _lives(journals):
            if not opening.prev_pos or opening.ts_event < span.from_ns:
                continue
            last_ns, _ = _last_word(reader, opening.prev_pos)
            if last_ns < span.until_ns and last_ns < back_ns:
                yield Down(last_ns, back_ns, opening.clean)
        last_ns, clean = _last_word(reader, reader.last())
        if clean or last_ns + MINUTE_NS < span.until_ns:
            yield Down(last_ns, span.until_ns, clean)
    finally:
        reader.close()


def _lives(journals: Path) -> Iterator[tuple[EpochOpened, int]]:
    """Yield how each life of the engine that is kept began, and when it was back."""
    stream = STREAMS[INTENT]
    directory = directory_of(journals, stream)
    reader = open_reader(directory, stream)
    try:
        for epoch in dict.fromkeys(epoch_of(base) for base in bases(directory)):
            found = _begin(reader, epoch)
            if found is not None:
                yield found
    finally:
        reader.close()


def _begin(reader: JournalReader, epoch: int) -> tuple[EpochOpened, int] | None:
    opening: EpochOpened | None = None
    for frame in reader.read(position(epoch, 0) - 1):
        for message in read_body(STREAMS[INTENT], frame.body):
            if isinstance(message, EpochOpened) and epoch_of(frame.pos) == epoch:
                opening = message
            elif isinstance(message, Recovered) and opening is not None:
                return opening, message.ts_event
    return (opening, opening.ts_event) if opening is not None else None


def _last_word(reader: JournalReader, pos: int) -> tuple[int, bool]:
    """Return the market time of the last message until a position, and whether it is a goodbye."""
    last_ns, clean = 0, False
    for frame in reader.read(max(0, pos - 1)):
        for message in read_body(STREAMS[INTENT], frame.body):
            if message is not None and frame.pos <= pos:
                last_ns, clean = max(last_ns, message.ts_event), isinstance(message, Bye)
        if frame.last >= pos:
            break
    return last_ns, clean
