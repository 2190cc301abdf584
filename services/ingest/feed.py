"""Says the trades of a symbol strictly in the order of their ids, whatever the live feed does.

What comes early is held, what is missing is fetched by id, what comes twice is dropped. Where the
exchange cannot or should not give back what is missing, the stream goes on at a whole minute and
the minutes between come as the exchange's own bars.
"""

import msgspec

from schema.market import Trade
from schema.units import MS_NS, bar_close_ns, bar_open_ns
from services.ingest.bars import close_bars
from services.ingest.doubt import AGREE, doubt
from services.ingest.effects import NONE, FetchedTrades, FetchTrades, RawTrade, Redial
from services.ingest.gaps import close_gap, gap_of, give_up, join, say_lost, synced, unfillable
from services.ingest.line import Pass
from services.ingest.numbers import read, trace_of
from services.ingest.quarantine import sift
from services.ingest.refusals import Suspects

HELD_MAX = 20_000
"""Trades kept while an earlier one is fetched; beyond that the newest are fetched again later."""

CONFIRMED = 2
"""Answers in which the exchange says the same of a trade before it is given up."""

MUTE = "the live feed was silent while the exchange traded"


def hear_live(turn: Pass, trades: tuple[RawTrade, ...], recv_ns: int) -> None:
    """Take what the live feed brought."""
    line, good = turn.line, sift(turn, trades, fetched=False)
    if any(trade[0] >= line.next_id for trade in good):  # What comes again is no sign of life.
        line.heard_ns, line.probes = turn.now_ns, 0
    if good:
        _measure_lag(turn, good[-1][3] * MS_NS)
    for trade in good:
        _take(turn, trade, recv_ns)
    _drain(turn)


def _measure_lag(turn: Pass, at_ns: int) -> None:
    line, lag_ns = turn.line, max(0, turn.now_ns - at_ns)
    line.lag_ns = lag_ns if line.lag_ns == NONE else min(line.lag_ns, lag_ns)


def hear_fetched(turn: Pass, answer: FetchedTrades) -> None:
    """Take what the exchange answered, and decide whether the rest can be had."""
    line = turn.line
    asked, line.asked, line.unanswered = line.asked, None, ""
    line.probing = False
    assert asked is not None
    line.head_id = max(line.head_id, answer.head_id)
    if asked.from_id == NONE:
        _anchor(turn, answer)
    elif why := unfillable(answer, asked.from_id):
        give_up(turn, why)
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
        _come(turn, trade, recv_ns)
    elif ms * MS_NS > turn.feed.last_ns > 0:
        _stray(turn, trade)


def _come(turn: Pass, trade: RawTrade, recv_ns: int) -> None:
    """Take the trade whose turn it is, unless its price stands alone."""
    line, (trade_id, _, _, ms, _) = turn.line, trade
    suspects = line.suspects
    if ms * MS_NS >= line.join_ns and (why := doubt(turn, trade)):
        suspects.bad[trade_id] = (why, " ".join(map(str, trade)))
        line.held[trade_id] = trade
        line.head_id = max(line.head_id, trade_id)
        return
    before = line.held.pop(trade_id, trade)
    if before[:4] != trade[:4] and trade_id in suspects.bad:
        line.refused.add("trade", *suspects.bad[trade_id])
    suspects.bad.pop(trade_id, None)
    suspects.times.pop(trade_id, None)
    suspects.strays.clear()
    line.next_id = trade_id + 1
    if ms * MS_NS >= line.join_ns:
        _say(turn, trade, recv_ns)


def _stray(turn: Pass, trade: RawTrade) -> None:
    # One such row is a wrong id; several that follow each other are another market's.
    line, strays = turn.line, turn.line.suspects.strays
    if strays and strays[-1] >= trade[0]:
        strays.clear()
    strays.append(trade[0])
    if len(strays) < AGREE:
        line.refused.add("trade", "its id is old and its time is new", " ".join(map(str, trade)))
        return
    line.defect = (
        f"trade {trade[0]} is new but trade {turn.feed.last_id} came before it: "
        "the exchange counts anew, or this world belongs to another market"
    )


def _say(turn: Pass, trade: RawTrade, recv_ns: int) -> None:
    trade_id, price, quantity, ms, buyer_maker = trade
    feed = turn.feed
    (px,), px_exp = read([price], feed.px_exp)
    (qty,), qty_exp = read([quantity], feed.qty_exp)
    if turn.line.lost:
        say_lost(turn, trade_id - 1)
    elif ms * MS_NS >= bar_close_ns(feed.last_ns, "1m"):
        turn.line.complete_ns = max(turn.line.complete_ns, bar_open_ns(ms * MS_NS, "1m"))
        close_bars(turn)
    turn.line.suspects.odd.clear()
    turn.line.pulse.note(ms * MS_NS)
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
        trade_id = line.next_id
        _take(turn, line.held.pop(trade_id), 0)
        if line.next_id == trade_id:
            break  # It is not believed yet.
    if line.held and line.next_id > min(line.held):
        line.held = {key: value for key, value in line.held.items() if key >= line.next_id}
    close_gap(turn)


def _fill(turn: Pass, answer: FetchedTrades) -> None:
    line, first = turn.line, turn.line.next_id
    probe = not (line.resync or line.held)
    if line.resync and answer.head_id >= first and not line.gap:
        line.gap = (first, answer.head_id, line.resync)
    for trade in sift(turn, answer.trades, fetched=True):
        _take(turn, trade, 0)
    _drain(turn)
    _look_back(turn, answer)
    if line.next_id > answer.head_id:
        synced(turn)
        line.complete_ns = max(line.complete_ns, line.asked_ns - turn.wait_ns)
    if probe and line.next_id > first and _is_deaf(turn, answer):
        effect_id = turn.effect_id("redial")
        turn.said.append(Redial(effect_id=effect_id, symbol=turn.feed.symbol))
        line.connected, line.offline = False, MUTE
        line.redials += 1


def _is_deaf(turn: Pass, answer: FetchedTrades) -> bool:
    # The live feed had time enough for these trades and brought none of them.
    line, silence_ns = turn.line, turn.silence_ns
    wait_ns = min(turn.wait_ns, silence_ns // 2 + max(0, line.lag_ns))
    waited = answer.trades[0][3] * MS_NS <= line.asked_ns - wait_ns
    return line.connected and waited and turn.now_ns - line.heard_ns >= silence_ns


def _anchor(turn: Pass, answer: FetchedTrades) -> None:
    line, feed = turn.line, turn.feed
    line.anchored = True
    synced(turn)
    trades = tuple(sift(turn, answer.trades, fetched=True))
    if answer.trades and not trades:
        line.anchored, line.retry_ns = False, turn.now_ns + turn.pace.grace_ns
        return
    if not trades:
        line.complete_ns = max(line.complete_ns, line.asked_ns - turn.wait_ns)
        if line.held:  # The live feed is ahead of the answers: ask again, and not at once.
            line.retry_ns = turn.now_ns + turn.pace.grace_ns
        return
    if feed.last_id != NONE and answer.trades[0][0] <= feed.last_id + 1:
        line.next_id, line.lost = feed.last_id + 1, None  # Nothing is missing after all.
    else:
        join(turn, trades)
    for trade in trades:
        if trade[0] >= line.next_id:
            _take(turn, trade, 0)
    _drain(turn)


def _look_back(turn: Pass, answer: FetchedTrades) -> None:
    """Ask again, and not at once, for what an answer could not settle; or give it up."""
    line, trade_id = turn.line, turn.line.next_id
    row = next((trade for trade in answer.trades if trade[0] == trade_id), None)
    if row is None:
        _look_ahead(turn, answer)
        return
    suspects = line.suspects
    if line.held.get(trade_id) == row:  # It is not wrong in itself, and stands alone.
        suspects.times[trade_id] = suspects.times.get(trade_id, 0) + 1
    while suspects.times.get(line.next_id, 0) >= CONFIRMED:
        _give_up_one(turn)
        _drain(turn)
    if line.next_id <= answer.head_id:
        line.retry_ns = turn.now_ns + turn.pace.grace_ns


def _give_up_one(turn: Pass) -> None:
    line, trade_id = turn.line, turn.line.next_id
    why, row = line.suspects.bad.pop(trade_id)
    del line.suspects.times[trade_id]
    if (held := line.held.pop(trade_id, None)) is not None:
        line.suspects.odd = [*line.suspects.odd[1 - AGREE :], held[1]]
        line.refused.add("trade", why, row)
    line.next_id, line.gap = trade_id + 1, None
    line.given_up += 1
    gap = gap_of(turn, trade_id, trade_id, f"{why}, and the exchange says so again", filled=False)
    turn.say(msgspec.structs.replace(gap, refused=True))


def _look_ahead(turn: Pass, answer: FetchedTrades) -> None:
    # Rows that the live feed brought, and of which the answers know nothing, are nobody's.
    line = turn.line
    if not line.next_id <= line.head_id > answer.head_id < line.next_id:
        line.suspects.denied = 0
        return
    line.retry_ns = turn.now_ns + turn.pace.grace_ns
    line.suspects.denied += 1
    if line.suspects.denied >= AGREE:
        for trade in line.held.values():
            line.refused.add(
                "trade", "the exchange knows no trade of this id", " ".join(map(str, trade))
            )
        line.held, line.head_id, line.gap = {}, answer.head_id, None
        line.suspects = Suspects()
