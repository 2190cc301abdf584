"""The way of every order, looked at once all streams are read: intent, verdict, order, fill."""

from bisect import bisect_right
from operator import itemgetter

from schema.streams import STREAMS
from schema.units import SECOND_NS, iso_ms
from services.rrr.audit_fold import Fold
from services.rrr.audit_known import CLOSER, Sent
from services.rrr.audit_money import atoms, text_of
from services.rrr.audit_read import INTENT, ORDER, VERDICT, Asked, Word

ANSWERED_NS = 60 * SECOND_NS
"""Market time behind a verdict's end by which the gateway has answered it."""

HALTS_OF_STRANGERS = "unknown order"


def hold(fold: Fold, asked: Asked) -> None:
    """Hold every order against what led to it, and every verdict against what came of it."""
    for key, sent in fold.sent.items():
        _hold_verdict(fold, asked, key, sent)
        _hold_intent(fold, asked, key, sent)
        _hold_risk_state(fold, asked, key, sent)
    _hold_words(fold, asked)
    _hold_strangers(fold)
    _hold_late(fold)
    _hold_positions(fold, asked)
    for asset, (pos, apart) in fold.apart.items():
        if apart:
            text = f"{asset}: {text_of(apart)} is there that nobody has explained"
            fold.fault("venue-seen", text, pos)


def _hold_verdict(fold: Fold, asked: Asked, key: str, sent: Sent) -> None:
    words = [word for word in asked.words.get(key, ()) if word.approved]
    if sent.by == CLOSER:
        if not sent.reducing:
            text = f"order {key} adds risk, and the gateway approved it by itself"
            fold.fault("approvals", text, sent.pos)
        return
    if not words and VERDICT in asked.cut:
        return  # What risk had said was not on the disk yet; the order's record holds it whole.
    if len(words) != 1:
        text = f"order {key} has {len(words)} approvals on {VERDICT}, expected one"
        fold.fault("approvals", text, sent.pos)
    elif words[0].order_hash != sent.approved_hash:
        text = (
            f"order {key}: {VERDICT} {words[0].pos} approved {words[0].order_hash.hex()}, "
            f"it left with {sent.approved_hash.hex()}"
        )
        fold.fault("approvals", text, sent.pos)


def _hold_intent(fold: Fold, asked: Asked, key: str, sent: Sent) -> None:
    wish = asked.wishes.get(key)
    if wish is None:
        if sent.by != CLOSER and INTENT not in asked.cut:
            text = f"order {key}: nobody asked for it on {INTENT}"
            fold.fault("causes", text, sent.pos)
    elif wish.order_hash != sent.order_hash:
        text = f"order {key} left as another one than {INTENT} {wish.pos} asked for"
        fold.fault("causes", text, sent.pos)


def _hold_risk_state(fold: Fold, asked: Asked, key: str, sent: Sent) -> None:
    # An approval may have gone with the power: what risk said anew of its order is a denial.
    words = [word for word in asked.words.get(key, ()) if word.approved]
    if sent.by == CLOSER or sent.reducing or not words:
        return
    when, at_ns = words[0].when, words[0].at_ns
    at = bisect_right(asked.states, when, key=itemgetter(0)) - 1
    stood = {asked.states[at][2] if at >= 0 else "ACTIVE"}
    # It may have changed in that turn, or at that very moment.
    while at >= 0 and (asked.states[at][0] == when or asked.states[at][1] == at_ns):
        at -= 1
        stood.add(asked.states[at][2] if at >= 0 else "ACTIVE")
    if "ACTIVE" not in stood:
        text = (
            f"order {key} adds risk, and was approved while risk was {' or '.join(sorted(stood))}"
        )
        fold.fault("risk-state", text, sent.pos)


def _hold_words(fold: Fold, asked: Asked) -> None:
    heard = fold.heard.get(STREAMS[VERDICT].number, 0)
    for key, words in asked.words.items():
        if len(words) > 1:
            text = f"order {key} has {len(words)} verdicts, at {_places(words)}"
            fold.fault("approvals", text)
        for word in words:
            _hold_word(fold, asked, key, word)
            due = word.pos <= heard and fold.now_ns > word.expires_ns + ANSWERED_NS
            if word.approved and due and key not in fold.sent and key not in fold.denied:
                text = f"{VERDICT} {word.pos} approved order {key} until "
                fold.fault("answers", f"{text}{iso_ms(word.expires_ns)}, and nothing came of it")


def _places(words: list[Word]) -> str:
    return " ".join(str(word.pos) for word in words)


def _hold_word(fold: Fold, asked: Asked, key: str, word: Word) -> None:
    wish = asked.wishes.get(key)
    if wish is None:
        if INTENT not in asked.cut:
            text = f"{VERDICT} {word.pos} is about order {key}, which nobody asked for"
            fold.fault("causes", text)
        return
    number, pos = word.cause
    if number != STREAMS[INTENT].number or (pos != wish.pos and INTENT not in asked.cut):
        text = f"{VERDICT} {word.pos} names {number} {pos} as its cause, the intent is {wish.pos}"
        fold.fault("causes", text)
    if word.approved and word.order_hash != wish.order_hash:
        expected = wish.order_hash.hex()
        text = f"{VERDICT} {word.pos} has the hash {word.order_hash.hex()}, the intent {expected}"
        fold.fault("approvals", text)


def _hold_strangers(fold: Fold) -> None:
    halted = {
        (m.symbol, m.client_order_id) for _, m in fold.halts if HALTS_OF_STRANGERS in m.reason
    }
    for pos, symbol, key, event in fold.unclaimed:
        if key not in fold.adopted and (symbol, key) not in halted:
            fold.fault("causes", f"{event} of order {key}, which was never submitted", pos)


def _hold_late(fold: Fold) -> None:
    for pos, fill in fold.late:
        named = any(
            at > pos and m.symbol == fill.symbol and fill.venue_trade_id in m.reason.split()
            for at, m in fold.halts
        )
        if not named and pos < fold.pos:
            text = f"late trade {fill.venue_trade_id} of {fill.symbol} halted nothing"
            fold.fault("states", text, pos)


def _hold_positions(fold: Fold, asked: Asked) -> None:
    for pos, told in asked.positions:
        if told.cause[1] > fold.pos:
            continue  # It was said behind a fill that was not there yet when the fold was read.
        history = fold.held_at.get(told.symbol, [])
        at = bisect_right(history, (told.cause[1], 1 << 300)) - 1
        ours, theirs = (history[at][1] if at >= 0 else 0), atoms(told.qty, told.qty_exp)
        if ours != theirs:
            text = (
                f"{told.symbol}: engine.portfolio {pos} says {text_of(theirs)} behind "
                f"{ORDER} {told.cause[1]}, the fills add up to {text_of(ours)}"
            )
            fold.fault("engine-said", text)
