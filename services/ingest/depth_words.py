"""What is said of a followed book: all of it when it begins, its changes, and how books stand."""

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from schema.market import DepthSnapshot, DepthUpdate
from services.ingest.ladder import Shown, changes, rescaled
from services.ingest.line import Line, Pass
from services.ingest.numbers import trace_of
from services.ingest.state import Feed


def say_book(turn: Pass) -> None:
    """Say what changed in the book, once it may be said."""
    due_ns = depth_due_ns(turn)
    if not due_ns or turn.now_ns < due_ns:
        return
    flow = turn.line.depth
    assert flow.ladder is not None
    at_ns = flow.at_ns if flow.ladder.bridged else turn.now_ns
    flow.said_ns, flow.told_id = turn.now_ns, flow.ladder.update_id
    shown = flow.ladder.shown(turn.pace.depth)
    before = turn.feed.depth
    if flow.anew or before is None:
        flow.anew = False
        _say(turn, shown, at_ns, anew=True)
        return
    base = rescaled(before, shown.px_exp, shown.qty_exp)
    bids, asks = changes(base.bids, shown.bids), changes(base.asks, shown.asks)
    if bids or asks:
        changed = replace(shown, bids=bids, asks=asks)
        _say(turn, changed, at_ns, first_id=before.update_id + 1)


def depth_due_ns(turn: Pass) -> int:
    """Return when the book that waits may be said; 0 when none waits."""
    flow = turn.line.depth
    if flow.ladder is None or (flow.told_id == flow.ladder.update_id and not flow.anew):
        return 0
    return max(flow.said_ns + turn.pace.depth_ns, 1)


def snapshot(feeds: Iterable[Feed | None], now_ns: int) -> list[DepthSnapshot]:
    """Return the books as they were said last, each a part of one snapshot."""
    books = [(feed.symbol, feed.depth) for feed in feeds if feed and feed.depth]
    return [
        DepthSnapshot(
            ts_event=now_ns,
            trace=trace_of(symbol, "depth", shown.update_id),
            symbol=symbol,
            update_id=shown.update_id,
            bids=shown.bids,
            asks=shown.asks,
            px_exp=shown.px_exp,
            qty_exp=shown.qty_exp,
            part=part,
            parts=len(books),
        )
        for part, (symbol, shown) in enumerate(books, start=1)
    ]


def counted(lines: Collection[Line]) -> tuple[tuple[str, int], ...]:
    """Return the figures of all books since the start."""
    flows = [line.depth for line in lines]
    return (
        ("depth_out_of_step", sum(flow.ladder is None for flow in flows)),
        ("depth_fetched", sum(flow.fetches for flow in flows)),
        ("depth_gaps", sum(flow.gaps for flow in flows)),
        ("depth_crossed", sum(flow.crossed for flow in flows)),
        ("depth_refused", sum(line.refused.kinds.get("depth", 0) for line in lines)),
    )


def _say(turn: Pass, told: Shown, at_ns: int, *, first_id: int = 0, anew: bool = False) -> None:
    symbol = turn.feed.symbol
    turn.say(
        DepthUpdate(
            ts_event=at_ns,
            trace=trace_of(symbol, "depth", told.update_id),
            symbol=symbol,
            first_update_id=first_id or told.update_id,
            last_update_id=told.update_id,
            bids=told.bids,
            asks=told.asks,
            px_exp=told.px_exp,
            qty_exp=told.qty_exp,
            ts_recv=turn.line.depth.recv_ns,
            anew=anew,
        )
    )
