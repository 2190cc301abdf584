"""What each word of the house and of the exchange means for the gateway's windows."""

from schema import exchange
from schema.head import Local
from schema.house import Command, EdgeFailed, PeerSeen, Started, TimeGap, Timer, Unanswered
from schema.lifecycle import State
from services.gateway import (
    answers,
    balances,
    budget,
    cancels,
    flatten,
    kill,
    reconcile,
    trades,
    unconfirmed,
)
from services.gateway.state import Wish
from services.gateway.steps import doubt, reject
from services.gateway.turn import Turn

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
    turn.tell_level()
    for order in list(turn.books.open.values()):
        if State.SUBMITTED in (order.place.state, order.place.under):
            doubt(turn, order, "the gateway was started anew before an answer came")


def hear_local(turn: Turn, message: Local) -> None:
    """Take in what the runner and the edge tell."""
    match message:
        case PeerSeen():
            hear_peer(turn, message)
        case Command():
            kill.command(turn, message)
        case Timer():
            turn.windows.wake_ns = 0
        case TimeGap():
            hear_gap(turn, message)
        case Unanswered():
            hear_nothing(turn, message)
        case EdgeFailed() | exchange.LevelSet():  # The runner ends a service whose edge failed.
            pass
        case _:
            hear_exchange(turn, message)


def hear_peer(turn: Turn, seen: PeerSeen) -> None:
    """Note whether risk can be relied on."""
    if seen.service == "risk":
        turn.windows.risk = "" if seen.ready else f"risk is {seen.state}: {seen.reason}"


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
    if kind == "send":
        order = turn.books.open.get(subject)
        if order is not None and State.SUBMITTED in (order.place.state, order.place.under):
            doubt(turn, order, silence.reason)
        return
    asked = turn.answered(silence.effect_id, well=kind == "cancel")
    if asked is not None and kind == "cancel":
        cancels.take_silence(turn, subject.partition(" ")[0])


def hear_exchange(turn: Turn, message: Local) -> None:
    """Take in an answer or a push of the exchange's."""
    match message:
        case exchange.ClockSeen():
            turn.windows.clock, turn.windows.clock_doubt = message, False
        case exchange.StreamUp():
            turn.windows.stream = True
            turn.windows.reconcile = "the user stream began"
        case exchange.StreamDown():
            turn.windows.stream = False
        case exchange.BudgetSeen():
            budget.take_budget(turn, message)
        case exchange.KillFileSeen():
            kill.take_file(turn, message)
        case exchange.AccountSeen():
            balances.take_account(turn, message)
        case exchange.OpenOrdersSeen():
            reconcile.take_open_orders(turn, message)
        case exchange.TradesSeen():
            trades.take_list(turn, message)
        case exchange.TopSeen():
            flatten.take_top(turn, message)
        case _:
            _hear_order(turn, message)


def _hear_order(turn: Turn, message: Local) -> None:
    match message:
        case exchange.OrderPlaced(report=report, trades=found):
            _take_all(turn, report, found, "answer")
        case exchange.ReportPushed(report=report, trades=found, reason=reason):
            _take_all(turn, report, found, "stream", reason)
        case exchange.CancelDone(effect_id=effect_id, report=report):
            turn.answered(effect_id)
            answers.take_report(turn, report, "answer")
        case exchange.OrderFound(effect_id=effect_id, report=report):
            turn.answered(effect_id)
            answers.take_report(turn, report, "query")
            cancels.take_found(turn, report.client_order_id, report.status)
            reconcile.take_answer(turn, report.client_order_id)
        case exchange.OrderAbsent(effect_id=effect_id, client_order_id=order_id):
            turn.answered(effect_id)
            unconfirmed.take_absence(turn, message)
            reconcile.take_answer(turn, order_id)
        case exchange.CancelRefused(effect_id=effect_id):
            turn.answered(effect_id)
            cancels.take_refusal(turn, message)
        case exchange.OrderRefused(text=text):
            _take_refusal(turn, message.client_order_id, str(message.code), text)
        case exchange.OrderNotSent(reason=reason):
            _take_refusal(turn, message.client_order_id, "NOT_SENT", reason)
        case _:
            raise AssertionError(f"gateway does not listen to {type(message).__name__}")


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
