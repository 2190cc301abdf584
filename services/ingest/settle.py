"""After every input: asks for what is missing, sets the timer, and says how far to trust the feed.

It looks only at how things stand, never at how they came to be, so that one place mends a cold
start, a restart, a lost connection, a hole and a silent socket.
"""

from schema.house import Wake
from schema.market import FeedStatus, Quarantined
from schema.units import MS_NS, bar_open_ns
from services.ingest.bars import close_bars, next_close_ns
from services.ingest.checking import ask_check
from services.ingest.depth import ask_book, book_due_ns
from services.ingest.depth_words import depth_due_ns, say_book
from services.ingest.effects import NONE, FetchBars
from services.ingest.feed import ask_trades, missing
from services.ingest.line import Pass
from services.ingest.quotes import quote_due_ns, say_quote
from services.ingest.sofar import say_sofar

PROBES_MAX = 16


def settle(turn: Pass) -> None:
    """Do what the standing of this symbol asks for."""
    close_bars(turn)
    say_quote(turn)
    say_book(turn)
    ask_book(turn)
    if turn.line.listed and turn.now_ns >= turn.line.retry_ns:
        _ask_trades(turn)
        _ask_bars(turn)
        if not _is_history_due(turn):
            ask_check(turn)
    turn.said += words_on_refused(turn)
    _say_status(turn)
    say_sofar(turn)
    _wake(turn)


def words_on_refused(turn: Pass) -> list[Quarantined]:
    """Return what may be said now of what was refused."""
    return turn.line.refused.tell(turn.feed.symbol, turn.now_ns, turn.pace.word_ns)


def history_target_ns(turn: Pass) -> int:
    """Return from when on bars are made of trades; what lies before comes by REST."""
    if not turn.line.anchored:
        return max(turn.feed.join_ns, turn.line.rest_ns)
    if turn.line.next_id == NONE:
        return turn.line.rest_ns or bar_open_ns(turn.now_ns - turn.wait_ns, "1m")
    return max(turn.feed.join_ns, turn.line.join_ns)


def _ask_trades(turn: Pass) -> None:
    line = turn.line
    if line.asked is not None or line.defect:
        return
    if not line.anchored:
        ask_trades(turn, NONE)
    elif missing(turn) or _is_close_due(turn):
        ask_trades(turn, line.next_id)
    elif turn.now_ns >= _silent_ns(turn):
        line.probed_ns = turn.now_ns
        line.probes += 1
        line.probing = True
        ask_trades(turn, line.next_id)


def _is_close_due(turn: Pass) -> bool:
    close_ns = next_close_ns(turn.feed)
    due = close_ns > turn.line.complete_ns and turn.now_ns >= close_ns + turn.wait_ns
    return bool(close_ns) and due and not _is_history_due(turn)


def _silent_ns(turn: Pass) -> int:
    # In a quiet market each question waits longer than the one before.
    line = turn.line
    pause_ns = min(turn.silence_ns << min(line.probes, PROBES_MAX), turn.pace.stale_ns)
    return max(line.heard_ns, line.probed_ns) + pause_ns


def _unanswered_ns(turn: Pass) -> int:
    """Return from when on a question whether the feed is mute has waited too long; 0: none is."""
    line = turn.line
    return line.asked_ns + turn.pace.mute_ns // 4 if line.probing else 0


def _ask_bars(turn: Pass) -> None:
    line, feed = turn.line, turn.feed
    if line.asked_bars or not _is_history_due(turn):
        return
    start_ns = max(line.rest_ns, feed.covered_ns)
    if start_ns == 0:
        start_ns = bar_open_ns(turn.now_ns - turn.pace.history_ns, "1d")
    until_ns = min(history_target_ns(turn), bar_open_ns(turn.now_ns - turn.wait_ns, "1m"))
    if start_ns >= until_ns:
        line.rest_ns = max(line.rest_ns, until_ns)
        return
    line.asked_bars = turn.effect_id("bars")
    turn.said.append(
        FetchBars(
            effect_id=line.asked_bars,
            symbol=feed.symbol,
            start_ns=start_ns,
            until_ns=until_ns,
        )
    )


def _is_history_due(turn: Pass) -> bool:
    return turn.line.rest_ns < history_target_ns(turn) or turn.line.rest_ns == 0


def _wake(turn: Pass) -> None:
    line = turn.line
    if not line.listed:
        return
    close_ns = next_close_ns(turn.feed)
    times = [
        line.retry_ns,
        close_ns and close_ns + turn.wait_ns,
        _silent_ns(turn),
        _unanswered_ns(turn),
        line.refused.due_ns(turn.pace.word_ns),
        history_target_ns(turn) + turn.wait_ns,
        quote_due_ns(turn),
        book_due_ns(turn),
        depth_due_ns(turn),
    ]
    at_ns = min((at for at in times if at > turn.now_ns), default=0)
    if at_ns and (line.wake_ns <= turn.now_ns or at_ns < line.wake_ns):
        line.wake_ns = at_ns
        turn.said.append(Wake(name=turn.feed.symbol, at_ns=at_ns))


def _say_status(turn: Pass) -> None:
    feed, line = turn.feed, turn.line
    state, reason = _judge(turn)
    if (state, reason) != (feed.status, feed.reason):
        turn.say(
            FeedStatus(
                ts_event=turn.now_ns,
                symbol=feed.symbol,
                state=state,
                reason=reason,
                last_trade_id=max(0, feed.last_id),
                last_trade_ns=feed.last_ns,
                reconnects=line.reconnects,
                median_gap_ms=line.pulse.median_ms,
                offset_ms=line.offset_ns // MS_NS,
                quarantined=line.refused.total,
            )
        )


def _judge(turn: Pass) -> tuple[str, str]:
    feed, line = turn.feed, turn.line
    listed = feed.instrument
    if line.defect:
        return "HALTED", line.defect
    if listed is not None and listed.status != "TRADING":
        return "HALTED", f"the exchange says {listed.status}"
    if not (line.listed and line.connected):
        return "CONNECTING", line.offline
    if line.unanswered:
        return "CONNECTING", line.unanswered
    if _is_history_due(turn):
        return "BACKFILLING", "the exchange's bars before the live feed are being fetched"
    if why := missing(turn):
        return "BACKFILLING", why
    if turn.now_ns - line.heard_ns >= turn.pace.stale_ns:
        return "STALE", "the exchange answers, and no trade came for longer than stale_data_ms"
    if 0 < _unanswered_ns(turn) <= turn.now_ns:
        return "STALE", "no trade came for long, and the exchange has not said if there were any"
    if line.probes and line.probed_ns >= line.heard_ns and not line.probing:
        return "OK", "quiet: the exchange has no newer trade either"
    return "OK", ""
