"""How well each symbol's feed is, in one row for whoever asks."""

from collections.abc import Iterable, Mapping

import msgspec

from schema.house import CommandDone
from schema.units import MS_NS, iso
from services.ingest.line import Line
from services.ingest.state import Feed


class FeedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's feed: what it says, how fast, and what was wrong with it since the start."""

    symbol: str
    state: str
    reason: str
    watermark: str = ""  # nothing that happened before is still to come
    age_ms: int = 0  # of it, in market time
    last_trade_id: int = 0
    median_gap_ms: int = 0
    trades_per_min: float = 0.0
    gaps_filled: int = 0
    gaps_given_up: int = 0
    redials: int = 0
    reconnects: int = 0
    crossed: int = 0
    locked: int = 0
    book_gaps: int = 0
    offset_ms: int = 0
    quarantined: int = 0
    refused: dict[str, int] = {}  # by kind


def told(
    request_id: str, feeds: Iterable[Feed], lines: Mapping[str, Line], now_ns: int
) -> list[CommandDone]:
    """Answer who asks for all of it."""
    rows = [_row(feed, lines.get(feed.symbol) or Line(), now_ns) for feed in feeds]
    body = msgspec.json.encode(rows)
    return [CommandDone(request_id=request_id, ok=True, text=f"{len(rows)} feeds", body=body)]


def _row(feed: Feed, line: Line, now_ns: int) -> FeedRow:
    return FeedRow(
        symbol=feed.symbol,
        state=feed.status,
        reason=feed.reason,
        watermark=iso(feed.last_ns) if feed.last_ns else "",
        age_ms=(now_ns - feed.last_ns) // MS_NS if feed.last_ns else 0,
        last_trade_id=max(0, feed.last_id),
        median_gap_ms=line.pulse.median_ms,
        trades_per_min=line.pulse.per_minute,
        gaps_filled=line.filled,
        gaps_given_up=line.given_up,
        redials=line.redials,
        reconnects=line.reconnects,
        crossed=line.crossed + line.depth.crossed,
        locked=line.locked,
        book_gaps=line.depth.gaps,
        offset_ms=line.offset_ns // MS_NS,
        quarantined=line.refused.total,
        refused=line.refused.kinds,
    )
