"""Judges each row of the exchange before it is taken: what cannot be true goes no further.

A trade that is refused is asked for again by its id. When the exchange says the same of it again
and again it is given up: a FeedGap tells which and why, the minute goes on without it, and its bar
is not whole.
"""

from collections.abc import Iterable

from bus.errors import ProtocolError
from schema.units import MINUTE_NS, MS_NS, iso
from services.ingest.doubt import doubt_quote
from services.ingest.effects import NONE, AskTime, FetchedBars, LiveQuote, RawBar, RawTrade, Spoiled
from services.ingest.line import Pass
from services.ingest.numbers import is_plain, read

FIRST_MS = 1_262_304_000_000
"""No exchange of these is older than 2010."""

PAST_NS = MINUTE_NS
"""A trade may be so much older than the one before it, and no more."""

LEAP = 20_000
"""Ids by which a live feed that stands may be ahead; a row beyond has no id of its own."""

SURE = 18
"""So many digits fit into 64 bits."""

PAGES = 2
"""A page is asked for again so often before its bad bars are left out."""


def sift(turn: Pass, trades: Iterable[RawTrade], *, fetched: bool) -> list[RawTrade]:
    """Return the trades that can be true; the others are refused, and their ids asked for."""
    kept = []
    for trade in trades:
        why = _unread(turn, trade) or _untimely(turn, trade)
        if not why and not fetched and _leaps(turn, trade[0]):
            why = f"its id is {trade[0] - turn.line.next_id} ahead of the one that comes next"
        if not why:
            kept.append(trade)
            continue
        turn.line.refused.add("trade", why, _text(trade))
        _suspect(turn, trade, why, fetched=fetched)
    return kept


def take_quote(turn: Pass, told: LiveQuote | Spoiled) -> None:
    """Take a top of the book that can be true; another, or a row that is none, is refused."""
    refused = turn.line.refused
    if isinstance(told, Spoiled):
        refused.add(told.kind, told.reason, told.row)
    elif why := _quote_fault(turn, told):
        row = f"{told.bid_qty} {told.bid_px} {told.ask_px} {told.ask_qty}"
        refused.add("quote", why, row)
    else:
        turn.line.quote = told


def _quote_fault(turn: Pass, quote: LiveQuote) -> str:
    px_exp, qty_exp = turn.feed.px_exp, turn.feed.qty_exp
    return (
        _wrong(quote.bid_px, px_exp, "bid")
        or _wrong(quote.ask_px, px_exp, "ask")
        or _wrong(quote.bid_qty, qty_exp, "bid's quantity", least=0)
        or _wrong(quote.ask_qty, qty_exp, "ask's quantity", least=0)
        or _crossed(turn, quote)
        or doubt_quote(turn, quote)
    )


def sift_bars(turn: Pass, answer: FetchedBars) -> tuple[tuple[RawBar, ...], int]:
    """Return the bars that can be true, and the time up to which they are all there are."""
    line = turn.line
    bad = {n: why for n, row in enumerate(answer.bars) if (why := _bar_fault(turn, row))}
    if not bad:
        line.suspects.bars = 0
        return answer.bars, answer.through_ns
    for n, why in bad.items():
        line.refused.add("bar", why, _text(answer.bars[n]))
    line.suspects.bars += 1
    if line.suspects.bars > PAGES:
        line.suspects.bars = 0
        kept = tuple(row for n, row in enumerate(answer.bars) if n not in bad)
        return kept, answer.through_ns
    line.retry_ns = turn.now_ns + turn.pace.grace_ns
    kept = answer.bars[: min(bad)]
    return kept, kept[-1][0] * MS_NS + MINUTE_NS if kept else line.rest_ns


def _unread(turn: Pass, trade: RawTrade) -> str:
    feed = turn.feed
    return _wrong(trade[1], feed.px_exp, "price") or _wrong(trade[2], feed.qty_exp, "quantity")


def _wrong(text: str, exp: int, what: str, least: int = 1) -> str:
    whole, _, decimals = text.partition(".")
    if is_plain(text) and len(whole) + max(exp, len(decimals)) <= SURE and text.strip("0."):
        return ""  # Nearly every number is one of these, and this is done for each.
    try:
        (n,), _ = read([text], exp)
    except (ValueError, ProtocolError):
        kind = "negative" if text.startswith("-") and text[1:2].isdigit() else "no number that fits"
        return f"its {what} is {kind}"
    return "" if n >= least else f"its {what} is zero"


def _untimely(turn: Pass, trade: RawTrade) -> str:
    line, (trade_id, _, _, ms, _) = turn.line, trade
    latest_ns = turn.now_ns + max(0, line.offset_ns) + turn.pace.future_ns
    if ms * MS_NS > latest_ns:
        if FIRST_MS <= ms // 1_000 <= latest_ns // MS_NS:
            return "its time is in us where ms were expected"
        _ask_time(turn)
        return "its time is in the future"
    if ms < FIRST_MS:
        return f"its time is {'in s where ms were expected' if ms * 1_000 >= FIRST_MS else 'none'}"
    if trade_id >= line.next_id and ms * MS_NS < turn.feed.last_ns - PAST_NS:
        return f"its time {iso(ms * MS_NS)} is long before that of the trade before it"
    return ""


def _ask_time(turn: Pass) -> None:
    # It may be our own clock that is behind: the exchange's is looked at before it is given up.
    suspects = turn.line.suspects
    if turn.now_ns >= suspects.time_ns + turn.pace.grace_ns:
        suspects.time_ns = turn.now_ns
        turn.said.append(AskTime(effect_id=turn.effect_id("time"), symbol=turn.feed.symbol))


def _leaps(turn: Pass, trade_id: int) -> bool:
    line = turn.line
    stands = line.anchored and line.connected and not line.resync
    return stands and line.next_id != NONE and trade_id > line.next_id + LEAP


def _suspect(turn: Pass, trade: RawTrade, why: str, *, fetched: bool) -> None:
    line, trade_id = turn.line, trade[0]
    if not line.anchored or line.next_id == NONE:
        return
    if not line.next_id <= trade_id <= line.next_id + LEAP or len(line.suspects.bad) > LEAP:
        return
    line.suspects.bad[trade_id] = (why, _text(trade))
    if fetched:
        line.suspects.times[trade_id] = line.suspects.times.get(trade_id, 0) + 1
    else:
        line.head_id = max(line.head_id, trade_id)


def _crossed(turn: Pass, quote: LiveQuote) -> str:
    (bid, ask), _ = read((quote.bid_px, quote.ask_px), turn.feed.px_exp)
    turn.line.locked += bid == ask
    turn.line.crossed += bid > ask
    return "its bid is above its ask" if bid > ask else ""


def _bar_fault(turn: Pass, row: RawBar) -> str:
    open_ms, *prices, volume, turnover, _ = row
    px_exp = turn.feed.px_exp
    for text in prices:
        if why := _wrong(text, px_exp, "price"):
            return why
    if not (is_plain(volume) and is_plain(turnover)):
        return "its volume is no number"
    (first, high, low, last), _ = read(prices, px_exp)
    if not low <= min(first, last) <= max(first, last) <= high:
        return "its high or low is inside of it"
    if open_ms < FIRST_MS or open_ms * MS_NS % MINUTE_NS:
        return "it opens at no whole minute"
    latest_ns = turn.now_ns + max(0, turn.line.offset_ns) + turn.pace.future_ns
    return "it is of the future" if open_ms * MS_NS > latest_ns else ""


def _text(row: RawTrade | RawBar) -> str:
    return " ".join(f"{value!s:.40}" for value in row)
