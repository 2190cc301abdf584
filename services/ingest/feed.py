"""Says the trades of a symbol strictly in the order of their ids, whatever the live feed does.

What comes early is held, what is missing is fetched by id, what comes twice is dropped. Where the
exchange cannot or should not give back what is missing, the stream goes on at a whole minute and
the minutes between come as the exchange's own bars.
"""

from schema.market import FeedGap, Trade
from schema.units import MS_NS, bar_close_ns, bar_open_ns
from services.ingest.bars import close_bars
from services.ingest.effects import NONE, FetchedTrades, FetchTrades, RawTrade, Redial
from services.ingest.line import Pass
from services.ingest.numbers import read, trace_of

HELD_MAX = 20_000
"""Trades kept while an earlier one is fetched; beyond that the newest are fetched again later."""

GAP_MAX = 20_000
"""Trades worth fetching one by one, twenty pages of a thousand; more come as bars by REST."""


def hear_live(turn: Pass, trades: tuple[RawTrade, ...], recv_ns: int) -> None:
    """Take what the live feed brought."""
    turn.line.heard_ns = turn.now_ns
    if trades:
        _measure_lag(turn, trades[-1][3] * MS_NS)
    for trade in trades:
        _take(turn, trade, recv_ns)
    _drain(turn)


def _measure_lag(turn: Pass, at_ns: int) -> None:
    line, lag_ns = turn.line, max(0, turn.now_ns - at_ns)
    line.lag_ns = lag_ns if line.lag_ns == NONE else min(line.lag_ns, lag_ns)


def hear_fetched(turn: Pass, answer: FetchedTrades) -> None:
    """Take what the exchange answered, and decide whether the rest can be had."""
    line = turn.line
    asked, line.asked, line.unanswered = line.asked, None, ""
    assert asked is not None
    line.head_id = max(line.head_id, answer.head_id)
    if asked.from_id == NONE:
        _anchor(turn, answer)
    elif why := _unfillable(answer, asked.from_id):
        _give_up(turn, why)
    else:
        _fill(turn, answer)


def ask_trades(turn: Pass, from_id: int) -> None:
    """Ask the exchange for trades; one request at a time."""
    line = turn.line
    effect = FetchTrades(
        effect_id=turn.effect_id("trades"), symbol=turn.feed.symbol, from_id=from_id
    )
    line.asked, line.asked_ns = effect, turn.now_ns
    turn.said.append(effect)


def missing(turn: Pass) -> str:
    """Return why trades are known to be missing; empty when none are."""
    line = turn.line
    if not line.anchored:
        return line.lost[1] if line.lost else "the newest trades are not known yet"
    if line.resync:
        return line.resync
    if line.held or line.head_id >= line.next_id != NONE:
        return "trades that the live feed left out are being fetched"
    return ""


def _take(turn: Pass, trade: RawTrade, recv_ns: int) -> None:
    line, (trade_id, _, _, ms, _) = turn.line, trade
    if not line.anchored or line.next_id == NONE or trade_id > line.next_id:
        _hold(turn, trade)
    elif trade_id >= line.next_id:
        line.next_id = trade_id + 1
        if ms * MS_NS >= line.join_ns:
            _say(turn, trade, recv_ns)
    elif ms * MS_NS > turn.feed.last_ns > 0:
        line.defect = (
            f"trade {trade_id} is new but trade {turn.feed.last_id} came before it: "
            "the exchange counts anew, or this world belongs to another market"
        )


def _say(turn: Pass, trade: RawTrade, recv_ns: int) -> None:
    trade_id, price, quantity, ms, buyer_maker = trade
    feed = turn.feed
    (px,), px_exp = read([price], feed.px_exp)
    (qty,), qty_exp = read([quantity], feed.qty_exp)
    if turn.line.lost:
        _say_lost(turn, trade_id - 1)
    elif ms * MS_NS >= bar_close_ns(feed.last_ns, "1m"):
        turn.line.complete_ns = max(turn.line.complete_ns, bar_open_ns(ms * MS_NS, "1m"))
        close_bars(turn)
    turn.say(
        Trade(
            ts_event=ms * MS_NS,
            trace=trace_of(feed.symbol, trade_id),
            symbol=feed.symbol,
            trade_id=trade_id,
            px=px,
            qty=qty,
            buyer_maker=buyer_maker,
            px_exp=px_exp,
            qty_exp=qty_exp,
            ts_recv=recv_ns,
        )
    )


def _hold(turn: Pass, trade: RawTrade) -> None:
    line, trade_id = turn.line, trade[0]
    if line.anchored and line.next_id != NONE and not line.gap:
        line.gap = (line.next_id, trade_id - 1, "the live feed left trades out")
    if len(line.held) < HELD_MAX:
        line.held[trade_id] = trade
    line.head_id = max(line.head_id, trade_id)


def _drain(turn: Pass) -> None:
    line = turn.line
    while line.anchored and line.next_id in line.held:
        _take(turn, line.held.pop(line.next_id), 0)
    if line.held and line.next_id > min(line.held):
        line.held = {key: value for key, value in line.held.items() if key > line.next_id}
    _close_gap(turn)


def _close_gap(turn: Pass) -> None:
    line = turn.line
    if line.gap and line.next_id > line.gap[1]:
        first, last, reason = line.gap
        line.gap = None
        turn.say(_gap(turn, first, last, reason, filled=True))


def _say_lost(turn: Pass, last: int) -> None:
    assert turn.line.lost is not None
    first, reason = turn.line.lost
    turn.line.lost = None
    if first <= last:
        turn.say(_gap(turn, first, last, reason, filled=False))


def _gap(turn: Pass, first: int, last: int, reason: str, *, filled: bool) -> FeedGap:
    return FeedGap(
        ts_event=turn.now_ns,
        symbol=turn.feed.symbol,
        first_trade_id=first,
        last_trade_id=last,
        filled=filled,
        reason=reason,
    )


def _unfillable(answer: FetchedTrades, from_id: int) -> str:
    if answer.head_id - from_id >= GAP_MAX:
        return f"{answer.head_id - from_id + 1} trades are too many to fetch one by one"
    if answer.trades and answer.trades[0][0] > from_id:
        return f"the exchange gives trades from {answer.trades[0][0]} on only"
    if not answer.trades and answer.head_id >= from_id:
        return "the exchange does not give them back"
    return ""


def _give_up(turn: Pass, why: str) -> None:
    line = turn.line
    line.lost = (line.next_id, why)
    line.anchored, line.resync, line.gap = False, "", None


def _fill(turn: Pass, answer: FetchedTrades) -> None:
    line, first = turn.line, turn.line.next_id
    probe = not (line.resync or line.held)
    if line.resync and answer.head_id >= first and not line.gap:
        line.gap = (first, answer.head_id, line.resync)
    for trade in answer.trades:
        _take(turn, trade, 0)
    _drain(turn)
    if line.next_id > answer.head_id:
        _synced(turn)
        line.complete_ns = max(line.complete_ns, line.asked_ns - turn.wait_ns)
    if probe and line.next_id > first and _is_deaf(turn, answer):
        effect_id = turn.effect_id("redial")
        turn.said.append(Redial(effect_id=effect_id, symbol=turn.feed.symbol))
        line.connected = False


def _is_deaf(turn: Pass, answer: FetchedTrades) -> bool:
    # The live feed had the whole grace for these trades and brought none of them.
    line = turn.line
    waited = answer.trades[0][3] * MS_NS <= line.asked_ns - turn.wait_ns
    return line.connected and waited and turn.now_ns - line.heard_ns >= turn.pace.stale_ns


def _anchor(turn: Pass, answer: FetchedTrades) -> None:
    line, feed = turn.line, turn.feed
    line.anchored = True
    _synced(turn)
    if not answer.trades:
        line.complete_ns = max(line.complete_ns, line.asked_ns - turn.wait_ns)
        if line.held:  # The live feed is ahead of the answers: ask again, and not at once.
            line.retry_ns = turn.now_ns + turn.pace.grace_ns
        return
    if feed.last_id != NONE and answer.trades[0][0] <= feed.last_id + 1:
        line.next_id, line.lost = feed.last_id + 1, None  # Nothing is missing after all.
    else:
        _join(turn, answer.trades)
    for trade in answer.trades:
        if trade[0] >= line.next_id:
            _take(turn, trade, 0)
    _drain(turn)


def _synced(turn: Pass) -> None:
    # What was asked before the live feed stood says nothing of the moment between.
    line = turn.line
    line.resync = line.resync if line.asked_early else ""
    line.asked_early = False


def _join(turn: Pass, trades: tuple[RawTrade, ...]) -> None:
    # A minute counts when a trade before it is among these: then none of its own is missing.
    line = turn.line
    last_ns = trades[-1][3] * MS_NS
    join_ns = bar_open_ns(last_ns, "1m")
    if trades[0][3] * MS_NS >= join_ns:
        join_ns = bar_close_ns(last_ns, "1m")
    line.join_ns = join_ns
    line.next_id = next((t[0] for t in trades if t[3] * MS_NS >= join_ns), trades[-1][0] + 1)
