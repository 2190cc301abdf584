"""Follows the book of a symbol without a hole: what was fetched, and every change behind it.

A change follows only when its first update id is the next one. Behind a hole, a crossed book or a
change that cannot be read the book is fetched anew, and followers are told that it begins again. A
book that is out of step stops nobody: trades and quotes have feeds of their own.
"""

from itertools import pairwise

from bus.errors import ProtocolError
from schema.units import MS_NS
from services.ingest.effects import FetchDepth, FetchedDepth, LiveDepth, RawLevels
from services.ingest.ladder import ASK, BID, Ladder, Levels, Shown
from services.ingest.line import Flow, Pass
from services.ingest.numbers import read_many
from services.ingest.state import Feed

ERRORS = (ValueError, ProtocolError)

KIND = "depth"

LIMITS = (500, 1_000, 5_000)
"""Levels of a fetched book, as the exchange weighs them; a liquid market leaves 100 in seconds."""

HELD_MAX = 600
"""Changes kept while the book is fetched, a minute of them; more would be fetched again anyway."""


def hear_change(turn: Pass, change: LiveDepth) -> None:
    """Take a change that the live feed brought."""
    flow = turn.line.depth
    is_good = flow.ladder is None or _follow(turn, flow.ladder, change)
    if is_good and (flow.ladder is None or flow.asked):
        _hold(flow, change)


def hear_book(turn: Pass, answer: FetchedDepth) -> None:
    """Take a fetched book, and the changes that were held for it."""
    flow = turn.line.depth
    if answer.effect_id != flow.asked:
        return  # It was asked for in a session that is over.
    flow.asked, flow.retry_ns = "", turn.now_ns + turn.pace.grace_ns
    try:
        whole = _whole(turn.feed, answer)
    except ERRORS as error:
        _refuse(turn, str(error), answer)
        return
    before, flow.recv_ns = flow.ladder, answer.recv_ns
    flow.ladder = Ladder(whole, limit_of(turn.pace.depth))
    held, flow.held = flow.held, []
    for change in held:
        hear_change(turn, change)
    _judge(flow, before)


def _judge(flow: Flow, before: Ladder | None) -> None:
    # A book that was still in step is better than one that is older than its changes.
    if before is None:
        flow.anew = True
    elif flow.ladder is None or flow.ladder.update_id < before.update_id:
        flow.ladder, flow.held = before, []


def forget_book(flow: Flow) -> None:
    """Leave the book: the session that it was followed in is over."""
    flow.ladder, flow.held, flow.asked = None, [], ""


def is_unanswered(turn: Pass, effect_id: str) -> bool:
    """Take it that a question was not answered; False when it was not for a book."""
    if KIND not in effect_id.split(" "):
        return False
    flow = turn.line.depth
    if flow.asked == effect_id:
        flow.asked, flow.retry_ns = "", turn.now_ns + turn.pace.grace_ns
    return True


def ask_book(turn: Pass) -> None:
    """Ask for the book when it is not in step, and it is time."""
    due_ns = book_due_ns(turn)
    if not due_ns or turn.now_ns < due_ns:
        return
    flow = turn.line.depth
    flow.asked = turn.effect_id(KIND)
    flow.fetches += 1
    limit = limit_of(turn.pace.depth)
    turn.said.append(FetchDepth(effect_id=flow.asked, symbol=turn.feed.symbol, limit=limit))


def book_due_ns(turn: Pass) -> int:
    """Return when the book is to be asked for; 0 when it is not."""
    line, flow = turn.line, turn.line.depth
    wanted = turn.pace.depth and line.listed and line.connected
    if not wanted or flow.asked or not _is_wanting(turn):
        return 0
    # A book without a change to follow it is worth asking for only when none comes.
    has_moved = flow.held or flow.ladder
    waits_ns = 1 if has_moved else flow.since_ns + turn.pace.grace_ns
    return max(flow.retry_ns, waits_ns)


def limit_of(depth: int) -> int:
    """Return how many levels are asked for, so that the book may move before it is too short."""
    return next(limit for limit in LIMITS if limit >= 5 * depth)


def _is_wanting(turn: Pass) -> bool:
    ladder = turn.line.depth.ladder
    return ladder is None or ladder.is_short_of(limit_of(turn.pace.depth) // 4)


def _follow(turn: Pass, ladder: Ladder, change: LiveDepth) -> bool:
    """Change the book, or find it out of step; return False for what is no change at all."""
    flow = turn.line.depth
    if 0 < change.last_id <= ladder.update_id:
        return True
    try:
        if not _is_next(ladder, change):
            flow.gaps += ladder.bridged
            flow.ladder = None
            return True
        _apply(ladder, change)
    except ERRORS as error:
        flow.ladder = None
        _refuse(turn, str(error), change)
        return False
    flow.at_ns, flow.recv_ns = change.at_ms * MS_NS, change.recv_ns
    if ladder.is_crossed():
        flow.crossed += 1
        flow.ladder = None
    elif ladder.is_short_of(turn.pace.depth):
        flow.ladder = None
    return True


def _is_next(ladder: Ladder, change: LiveDepth) -> bool:
    if not 0 < change.first_id <= change.last_id:
        raise ValueError(f"update ids from {change.first_id} to {change.last_id}")
    next_id = ladder.update_id + 1
    # The fetched book may end within a change; levels are told whole, so it is taken all the same.
    return change.first_id == next_id or (not ladder.bridged and change.first_id <= next_id)


def _apply(ladder: Ladder, change: LiveDepth) -> None:
    bids, asks, *exps = _levels((change.bids, change.asks), ladder.px_exp, ladder.qty_exp)
    ladder.grow(*exps)
    ladder.bids.put(bids)
    ladder.asks.put(asks)
    ladder.update_id, ladder.bridged = change.last_id, True


def _hold(flow: Flow, change: LiveDepth) -> None:
    if len(flow.held) >= HELD_MAX:
        del flow.held[0]
    flow.held.append(change)


def _whole(feed: Feed, answer: FetchedDepth) -> Shown:
    if answer.update_id <= 0:
        raise ValueError(f"a book as of update {answer.update_id}")
    bids, asks, *exps = _levels((answer.bids, answer.asks), feed.px_exp, feed.qty_exp)
    if not all(qty for _, qty in bids + asks):
        raise ValueError("a level without a quantity")
    for name, side, sign in (("bids", bids, BID), ("asks", asks, ASK)):
        if any(sign * one[0] >= sign * two[0] for one, two in pairwise(side)):
            raise ValueError(f"{name} that are not sorted from the best to the worst")
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise ValueError("a book whose sides cross")
    return Shown(answer.update_id, bids, asks, *exps)


def _refuse(turn: Pass, reason: str, row: LiveDepth | FetchedDepth) -> None:
    turn.line.refused.add(KIND, reason, repr((row.bids[:2], row.asks[:2])))


def _levels(
    sides: tuple[RawLevels, RawLevels], px_exp: int, qty_exp: int
) -> tuple[Levels, Levels, int, int]:
    rows = sides[0] + sides[1]
    if not rows:
        return (), (), px_exp, qty_exp
    prices, px_exp = read_many([px for px, _ in rows], px_exp)
    sizes, qty_exp = read_many([qty for _, qty in rows], qty_exp)
    if not all(prices):
        raise ValueError("a price of zero")
    levels, count = tuple(zip(prices, sizes, strict=True)), len(sides[0])
    return levels[:count], levels[count:], px_exp, qty_exp
