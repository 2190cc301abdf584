"""What each word of the house and of the exchange means for the gateway's windows."""

from collections.abc import Callable
from typing import Any

from bus.service import Said
from schema import exchange, joined
from schema.head import Local
from schema.house import Command, EdgeFailed, PeerSeen, Started, TimeGap, Timer, Unanswered
from services.gateway import (
    answers,
    balances,
    budget,
    cancels,
    fence,
    flatten,
    guard,
    kill,
    pairs,
    reconcile,
    replaces,
    resolve,
    trades,
    unconfirmed,
    vanished,
)
from services.gateway.state import Wish
from services.gateway.steps import doubt, reject
from services.gateway.turn import Turn

NOT_SENT = "NOT_SENT"
DUPLICATE = "duplicate order"
"""What an exchange says of an order that it has already: no proof that it took none."""


def start(turn: Turn, started: Started, *, armed: bool) -> None:
    """Begin a life: nothing that was asked is answered any more, and no send is known to be."""
    windows = turn.windows
    windows.epoch, windows.armed = started.epoch, armed
    windows.risk, windows.clock, windows.clock_doubt = "it was not heard yet", None, False
    windows.asked, windows.paces, windows.pages, windows.polled = {}, {}, {}, {}
    windows.closing, windows.cycle, windows.sights = {}, None, {}
    windows.reconcile, windows.reconciled, windows.stream = "it has just started", None, False
    windows.kill_file, windows.wake_ns, windows.waiting = False, 0, []
    windows.wishes = {key: Wish(wish.reason) for key, wish in windows.wishes.items()}
    windows.doubts = {}
    windows.engine_lost_ns, windows.guarding = turn.now_ns, {}  # Until it is heard.
    windows.restless, windows.vanished, windows.replaced = {}, {}, {}
    windows.place, windows.contracts = None, {}
    turn.tell_level()
    for order in list(turn.books.open.values()):
        if pairs.is_unanswered(order):
            doubt(turn, order, "the gateway was started anew before an answer came")


def hear_peer(turn: Turn, seen: PeerSeen) -> None:
    """Note whether risk can be relied on, and whether the engine minds its stops."""
    if seen.contract:
        turn.windows.contracts[seen.service] = seen.contract
    if seen.service == "risk":
        turn.windows.risk = "" if seen.ready else f"risk is {seen.state}: {seen.reason}"
    elif seen.service == guard.ENGINE:
        guard.hear_engine(turn, seen)


def _hear_place(turn: Turn, seen: exchange.PlaceSeen) -> None:
    turn.windows.place = seen


def hear_gap(turn: Turn, gap: TimeGap) -> None:
    """After a sleep or a set clock: compare everything anew, and let no entry wait meanwhile."""
    turn.windows.clock_doubt = True
    turn.windows.reconcile = f"the clock jumped by {gap.jump_ms} ms"
    for order in turn.books.open.values():
        if order.intent.leg in cancels.ENTRIES:
            cancels.wish(turn, order, turn.windows.reconcile)


def hear_nothing(turn: Turn, silence: Unanswered) -> None:
    """Take in that an effect was not answered: of a send it means that nothing is known."""
    kind, _, subject = silence.effect_id.partition(" ")
    if kind in {"send", "pair", "replace"}:
        for order in filter(pairs.is_unanswered, pairs.halves(turn, subject)):
            doubt(turn, order, silence.reason)
        return
    asked = turn.answered(silence.effect_id, well=kind == "cancel")
    if asked is not None and kind == "cancel":
        cancels.take_silence(turn, subject.partition(" ")[0])


def _hear_timer(turn: Turn, _timer: Timer) -> None:
    turn.windows.wake_ns = 0


def _hear_clock(turn: Turn, seen: exchange.ClockSeen) -> None:
    turn.windows.clock, turn.windows.clock_doubt = seen, False


def _hear_stream(turn: Turn, _up: exchange.StreamUp) -> None:
    turn.windows.stream = True
    turn.windows.reconcile = "the user stream began"


def _hear_stream_end(turn: Turn, _down: exchange.StreamDown) -> None:
    turn.windows.stream = False


def _hear_nothing_of_it(turn: Turn, message: Local) -> None:
    """Let pass what asks for nothing; the runner ends a service whose edge failed."""


def _take_placed(turn: Turn, placed: exchange.OrderPlaced) -> None:
    _take_all(turn, placed.report, placed.trades, "answer")


def _take_pushed(turn: Turn, pushed: exchange.ReportPushed) -> None:
    vanished.take_report(turn, pushed.report)
    resolve.take_report(turn, pushed.report)
    _take_all(turn, pushed.report, pushed.trades, "stream", pushed.reason)


def _take_cancel(turn: Turn, done: exchange.CancelDone) -> None:
    turn.answered(done.effect_id)
    answers.take_report(turn, done.report, "answer")


def _take_found(turn: Turn, found: exchange.OrderFound) -> None:
    report = found.report
    ask = turn.answered(found.effect_id)
    vanished.take_report(turn, report)
    resolve.take_report(turn, report)
    answers.take_report(turn, report, "query")
    cancels.take_found(turn, report.client_order_id, report.status)
    if ask is not None:
        replaces.take_found(turn, report.client_order_id, report.status, ask.asked_ns)
    reconcile.take_answer(turn, report.client_order_id)


def _take_absence(turn: Turn, absent: exchange.OrderAbsent) -> None:
    turn.answered(absent.effect_id)
    unconfirmed.take_absence(turn, absent)
    vanished.take_absence(turn, absent)
    reconcile.take_answer(turn, absent.client_order_id)


def _take_open_orders(turn: Turn, seen: exchange.OpenOrdersSeen) -> None:
    reconcile.take_open_orders(turn, seen)
    for report in seen.reports:
        vanished.take_report(turn, report)
        resolve.take_report(turn, report)


def _take_top(turn: Turn, top: exchange.TopSeen) -> None:
    if turn.answered(top.effect_id) is None:
        return
    flatten.take_top(turn, top)
    guard.take_top(turn, top)


def _take_no_cancel(turn: Turn, refused: exchange.CancelRefused) -> None:
    turn.answered(refused.effect_id)
    cancels.take_refusal(turn, refused)


def _take_refused(turn: Turn, refused: exchange.OrderRefused) -> None:
    _take_refusal(turn, refused.client_order_id, str(refused.code), refused.text)


def _take_pair(turn: Turn, placed: joined.PairPlaced) -> None:
    for report in placed.reports:
        own = tuple(t for t in placed.trades if t.venue_order_id == report.venue_order_id)
        _take_all(turn, report, own, "answer")
    pairs.doubt_unnamed(turn, placed)


def _take_pair_refused(turn: Turn, refused: joined.PairRefused) -> None:
    for order_id in refused.client_order_ids:
        _take_refusal(turn, order_id, str(refused.code), refused.text)


def _take_pair_unsent(turn: Turn, unsent: joined.PairNotSent) -> None:
    for order_id in unsent.client_order_ids:
        _take_refusal(turn, order_id, NOT_SENT, unsent.reason)


def _take_not_sent(turn: Turn, unsent: exchange.OrderNotSent) -> None:
    _take_refusal(turn, unsent.client_order_id, NOT_SENT, unsent.reason)
    replaces.undo(turn, unsent.client_order_id, NOT_SENT, unsent.reason)


def _take_replaced(turn: Turn, done: joined.ReplaceDone) -> None:
    replaces.take_canceled(turn, done)
    for report in done.reports:
        _take_all(turn, report, done.trades, "answer")
    if not done.reports:
        _take_refusal(turn, done.effect_id.partition(" ")[2], str(done.code), done.text)
    replaces.doubt_unnamed(turn, done)


def _take_not_replaced(turn: Turn, refused: joined.ReplaceRefused) -> None:
    _take_refusal(turn, refused.client_order_id, str(refused.code), refused.text)
    replaces.take_refusal(turn, refused)


def _take_all(
    turn: Turn,
    report: exchange.OrderReport,
    found: tuple[exchange.VenueTrade, ...],
    evidence: str,
    reason: str = "",
) -> None:
    # Executions first: the end that a report tells then has nothing to wait for.
    for trade in found:
        answers.take_trade(turn, trade, evidence, report.client_order_id)
    answers.take_report(turn, report, evidence, reason)


def _take_refusal(turn: Turn, order_id: str, code: str, text: str) -> None:
    order = turn.books.open.get(order_id)
    if order is None:
        return
    if DUPLICATE in text.lower():
        doubt(turn, order, f"{code}: {text}")
    else:
        reject(turn, order, code, text)


EARS: dict[type[Said], Callable[[Turn, Any], None]] = {
    PeerSeen: hear_peer,
    Command: kill.command,
    Timer: _hear_timer,
    TimeGap: hear_gap,
    Unanswered: hear_nothing,
    EdgeFailed: _hear_nothing_of_it,
    exchange.LevelSet: _hear_nothing_of_it,
    exchange.ClockSeen: _hear_clock,
    exchange.PlaceSeen: _hear_place,
    exchange.BalanceMoved: fence.take_moved,
    exchange.StreamUp: _hear_stream,
    exchange.StreamDown: _hear_stream_end,
    exchange.BudgetSeen: budget.take_budget,
    exchange.KillFileSeen: kill.take_file,
    exchange.AccountSeen: balances.take_account,
    exchange.OpenOrdersSeen: _take_open_orders,
    exchange.TradesSeen: trades.take_list,
    exchange.TopSeen: _take_top,
    exchange.OrderPlaced: _take_placed,
    exchange.ReportPushed: _take_pushed,
    exchange.CancelDone: _take_cancel,
    exchange.OrderFound: _take_found,
    exchange.OrderAbsent: _take_absence,
    exchange.CancelRefused: _take_no_cancel,
    exchange.OrderRefused: _take_refused,
    exchange.OrderNotSent: _take_not_sent,
    joined.PairPlaced: _take_pair,
    joined.PairRefused: _take_pair_refused,
    joined.PairNotSent: _take_pair_unsent,
    joined.ReplaceDone: _take_replaced,
    joined.ReplaceRefused: _take_not_replaced,
}
