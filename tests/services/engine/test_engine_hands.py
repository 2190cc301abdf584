"""Orders by hand: a book of their own, protected like a strategy's, and nobody else's sold."""

from fractions import Fraction
from typing import Any

import msgspec
import pytest

from schema.head import Message
from schema.house import Command, CommandDone
from schema.identity import strategy_tag, tag_of
from schema.orders import KillLevel
from schema.trading import CancelIntent, Decision, OrderIntent
from tests.services.engine.engine_desk import Desk, only
from tests.services.engine.engine_made import PX, SYMBOL, TTL_NS, engine, instrument, told


@pytest.fixture
def desk() -> Desk:
    return Desk(engine(made=(told(),))).open(bars=10)


class Hand:
    """A person at the desk; each command has an id of its own."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.n = 0

    def say(self, verb: str, *args: str) -> tuple[CommandDone, list[Message]]:
        self.n += 1
        asked = Command(request_id=f"r{self.n}", verb=verb, args=args, by="me")
        said = self.desk.hear(asked)
        return self.desk.done[-1], said

    def order(self, side: str, amount: str, look: str = "", **wish: Any) -> CommandDone:
        fields = {"symbol": SYMBOL, "side": side, "amount": amount, **wish}
        done, self.said = self.say(
            f"order{look}", msgspec.json.encode(fields).decode(), "a feeling"
        )
        return done

    def buys(self, amount: str = "0.5", **wish: Any) -> OrderIntent:
        done = self.order("buy", amount, **wish)
        assert done.ok, done.text
        intent: OrderIntent = only(self.said, OrderIntent)
        return intent

    def holds(self, amount: str = "0.5", **wish: Any) -> list[Message]:
        """Buy and fill; return what is said then."""
        entry = self.buys(amount, **wish)
        self.desk.accept(entry)
        return self.desk.fill(entry)


@pytest.fixture
def hand(desk: Desk) -> Hand:
    return Hand(desk)


def test_a_purchase_by_hand_goes_to_risk_like_any_other(desk: Desk, hand: Hand) -> None:
    entry = hand.buys("0.50000")
    assert (entry.strategy, entry.side, entry.order_type) == ("manual", "buy", "market")
    assert (entry.qty, entry.leg, entry.reduce_only) == (50_000, "entry", False)
    assert tag_of(entry.client_order_id) == strategy_tag("manual")
    decision: Decision = only(hand.said, Decision)
    assert (decision.strategy, decision.reason) == ("manual", "by hand: a feeling")
    assert entry.client_order_id in desk.done[-1].text
    desk.accept(entry)
    desk.fill(entry)
    assert desk.held("manual") == desk.held() == Fraction(1, 2)


def test_what_was_bought_by_hand_is_protected_by_a_resting_stop(hand: Hand) -> None:
    said = hand.holds(stop="50000")
    stop: OrderIntent = only(said, OrderIntent)
    assert (stop.leg, stop.stop_px, stop.qty) == ("stop", 5_000_000, 50_000)
    assert (stop.strategy, stop.side) == ("manual", "sell")


def test_a_second_purchase_adds_and_its_denial_takes_nothing_away(desk: Desk, hand: Hand) -> None:
    hand.holds()
    second = hand.buys("0.1")
    assert second.qty == 10_000
    desk.deny(second.client_order_id)
    desk.pass_time(2 * TTL_NS, PX)
    assert desk.held("manual") == Fraction(1, 2)
    assert [one.leg for one in desk.orders()] == ["entry", "entry"]


def test_a_purchase_that_is_denied_holds_back_neither_a_sale_nor_a_stop(
    desk: Desk, hand: Hand
) -> None:
    hand.holds()
    second = hand.buys("0.3")
    desk.deny(second.client_order_id)
    assert hand.order("sell", "all").ok
    exit_: OrderIntent = only(hand.said, OrderIntent)
    assert (exit_.leg, exit_.qty) == ("exit", 50_000)


def test_a_purchase_that_no_filter_lets_pass_does_not_hold_back_a_sale(
    desk: Desk, hand: Hand
) -> None:
    desk.hear(instrument(max_qty=60_000))
    hand.holds()
    assert hand.order("buy", "0.7").ok
    assert not [said for said in hand.said if isinstance(said, OrderIntent)]
    assert hand.order("sell", "all").ok
    exit_: OrderIntent = only(hand.said, OrderIntent)
    assert (exit_.leg, exit_.qty) == ("exit", 50_000)


def test_a_sale_by_hand_takes_from_what_is_held_by_hand_alone(desk: Desk, hand: Hand) -> None:
    desk.wants("qty 2")
    desk.take(desk.orders())
    assert not hand.order("sell", "0.1").ok
    assert "rrr close" in desk.done[-1].text
    hand.holds()
    assert hand.order("sell", "0.2").ok
    exit_: OrderIntent = only(hand.said, OrderIntent)
    assert (exit_.leg, exit_.qty, exit_.reduce_only) == ("exit", 20_000, True)
    desk.accept(exit_)
    desk.fill(exit_)
    assert desk.held("manual") == Fraction(3, 10)


def test_all_of_it_closes_it_and_cancels_what_protected_it(desk: Desk, hand: Hand) -> None:
    stop: OrderIntent = only(hand.holds(stop="50000"), OrderIntent)
    desk.accept(stop)
    assert hand.order("sell", "all").ok
    cancel: CancelIntent = only(hand.said, CancelIntent)
    assert cancel.client_order_id == stop.client_order_id
    exit_: OrderIntent = only(desk.cancel(stop.client_order_id), OrderIntent)
    assert (exit_.leg, exit_.qty) == ("exit", 50_000)
    assert "a feeling" in exit_.reason


def test_a_part_is_sold_once_its_stop_lets_go_and_is_not_taken_for_it(
    desk: Desk, hand: Hand
) -> None:
    desk.hear(instrument(cancel_replace=True))
    stop: OrderIntent = only(hand.holds(stop="50000"), OrderIntent)
    desk.accept(stop)
    done = hand.order("sell", "0.2")
    smaller: OrderIntent = only(hand.said, OrderIntent)
    assert (smaller.leg, smaller.replaces) == ("stop", stop.client_order_id)
    assert smaller.client_order_id not in done.text
    assert msgspec.json.decode(done.body) == []


def test_a_preview_says_what_would_follow_and_changes_nothing(desk: Desk, hand: Hand) -> None:
    done = hand.order("buy", "1000", look="-look", unit="quote", stop="50000")
    assert done.ok, done.text
    assert hand.said == []
    lines = msgspec.json.decode(done.body, type=list[str])
    assert lines[0].startswith("buy 0.0")
    assert any("stop at 50000" in line for line in lines)
    assert desk.slot("manual").qty == 0


def test_without_a_stop_a_preview_says_so(hand: Hand) -> None:
    body = hand.order("buy", "0.5", look="-look").body
    assert b"without a stop" in body


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        ({"amount": "0"}, "above 0"),
        ({"amount": "-1"}, "above 0"),
        ({"amount": "NaN"}, "above 0"),
        ({"amount": "1e400"}, "above 0"),
        ({"amount": "\u0661"}, "above 0"),
        ({"amount": "0.000001"}, "too little"),
        ({"amount": "1", "stop": "70000"}, "would be passed"),
        ({"amount": "1", "take": "50000"}, "would be passed"),
        ({"amount": "1", "symbol": "DOGE/USDT"}, "not traded here"),
        ({"amount": "all"}, "nothing to close"),
        ({"amount": "1", "limit": "x"}, "limit is 'x'"),
        ({"amount": "1_5"}, "above 0"),
        ({"amount": "1", "limit": " 5e4"}, "above 0"),
        ({"amount": "1", "tif": "IOC"}, "IOC is said of a --limit"),
        ({"amount": "1", "trigger": "61000", "tif": "FOK"}, "FOK is said of a --limit"),
        ({"amount": "1", "post_only": True}, "post-only waits in the book"),
        ({"amount": "1", "limit": "59000", "post_only": True, "tif": "IOC"}, "post-only waits"),
        (
            {"amount": "1", "limit": "61000", "trigger": "60500", "post_only": True},
            "post-only waits",
        ),
        ({"amount": "1", "nonsense": 1}, "cannot be read"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_with_its_reason(
    hand: Hand, wish: dict[str, Any], text: str
) -> None:
    done = hand.order("buy", **wish)
    assert not done.ok
    assert text in done.text
    assert hand.said == []


def test_a_kill_level_and_a_lock_hold_for_hands_too(desk: Desk, hand: Hand) -> None:
    hand.say("lock", SYMBOL, "until", "0", "news")
    assert "locked" in hand.order("buy", "1").text
    hand.say("unlock", SYMBOL, "over")
    desk.hear(KillLevel(ts_event=desk.now_ns, level="HALTED", by="me", reason="enough"))
    assert "HALTED" in hand.order("buy", "1").text


def test_while_an_order_by_hand_is_open_there_is_no_second(desk: Desk, hand: Hand) -> None:
    entry = hand.buys("0.5", limit="50000")
    desk.accept(entry)
    assert entry.client_order_id[:12] in hand.order("buy", "1").text
    done, said = hand.say("cancel", entry.client_order_id[:8], "not now")
    assert done.ok, done.text
    assert only(said, CancelIntent).reason == "by hand: not now"
    desk.cancel(entry.client_order_id)
    assert hand.order("buy", "1").ok


def test_closing_a_symbol_ends_all_that_anybody_holds_of_it(desk: Desk, hand: Hand) -> None:
    desk.wants("qty 2")
    desk.take(desk.orders())
    hand.holds()
    look, said = hand.say("close-symbol-look", SYMBOL, "enough")
    assert (said, len(msgspec.json.decode(look.body))) == ([], 2)
    done, said = hand.say("close-symbol", SYMBOL, "enough")
    assert done.ok, done.text
    exits = {m.strategy: Fraction(m.qty, 10**5) for m in said if isinstance(m, OrderIntent)}
    assert exits == {"told": desk.held("told"), "manual": Fraction(1, 2)}
    desk.take(said)
    assert desk.held() == 0


def test_what_protects_a_position_is_not_cancelled_by_hand(desk: Desk, hand: Hand) -> None:
    stop: OrderIntent = only(hand.holds(stop="50000"), OrderIntent)
    desk.accept(stop)
    done, said = hand.say("cancel", stop.client_order_id, "away")
    assert (done.ok, said) == (False, [])
    assert "rrr close" in done.text
    assert not hand.say("cancel", "zz", "away")[0].ok


def test_a_short_by_hand_is_said_and_never_happens_by_mistake(hand: Hand) -> None:
    assert not hand.order("sell", "0.5").ok
    assert hand.order("sell", "0.5", short=True).ok
    entry: OrderIntent = only(hand.said, OrderIntent)
    assert (entry.side, entry.leg, entry.qty) == ("sell", "entry", 50_000)


def test_a_command_that_is_done_again_gives_the_same_order(desk: Desk, hand: Hand) -> None:
    first = hand.buys()
    other = Hand(Desk(engine(made=(told(),))).open(bars=10))
    assert other.buys().client_order_id == first.client_order_id
    assert desk.orders() == [first]


def test_a_command_that_comes_again_after_a_restart_is_not_done_twice(
    desk: Desk, hand: Hand
) -> None:
    hand.holds()
    hand.n -= 1
    assert "was done before" in hand.order("buy", "0.5").text
    assert hand.said == []
    assert len(desk.orders()) == 1


def test_what_half_an_order_by_hand_has_bought_gets_its_stop(desk: Desk, hand: Hand) -> None:
    entry = hand.buys("0.5", limit="60000", stop="50000")
    desk.accept(entry)
    desk.fill(entry, qty=20_000)
    said = desk.pass_time(3 * TTL_NS, PX)
    stop: OrderIntent = only(said, OrderIntent)
    assert (stop.leg, stop.qty, stop.stop_px) == ("stop", 20_000, 5_000_000)
