"""The protections as rules: what each counts, when it bites, how long, and what it says."""

from typing import Any

import msgspec
import pytest

from schema.locks import fold_lock
from schema.settings_protection import ProtectionSettings
from schema.trading import EquityMarked, PairLocked, Protection
from schema.units import DAY_NS, MINUTE_NS, MS_NS, parse_iso
from services.risk.curve import POINTS, Curve
from services.risk.protecting import Equity, Guards, Protections
from tests.services.risk.risk_desk import BTC, ETH, MARK, NOON_NS, SHIPPED, UNIT
from tests.services.risk.trip_book import ONE, TripBook

HOUR_MS = 3_600_000
GUARD = {"kind": "stoploss_guard", "trade_limit": 3, "stop_duration_ms": HOUR_MS}
LOW = {"kind": "low_profit_pairs", "trade_limit": 2, "stop_duration_ms": HOUR_MS}
FALL = {"kind": "max_drawdown", "max_allowed_drawdown_bps": 1_000, "stop_duration_ms": HOUR_MS}
LOSS, GAIN = MARK - 1000_00, MARK + 1000_00


class Stand(TripBook):
    """Protections beside their trips: what they say is folded at once."""

    def __init__(self, **rules: dict[str, Any]) -> None:
        super().__init__()
        named = {name: msgspec.convert(one, ProtectionSettings) for name, one in rules.items()}
        self.guards = Guards(msgspec.structs.replace(SHIPPED, protection=named))
        self.part = Protections(trips=self.trips)
        self.seen = Curve()
        self.said: list[Protection] = []

    def trip(self, px: int, leg: str = "exit", symbol: str = BTC, strategy: str = "t") -> None:
        super().trip(px, leg, symbol, strategy)
        self.take(self.guards.after_fill(self.part, self.now_ns))

    def look(self, equity: int, moved: int = 100_000) -> None:
        worth = Equity(equity * UNIT, moved * UNIT)
        self.take(self.guards.at_look(self.part, self.seen, worth, self.now_ns))

    def take(self, said: list[Protection]) -> None:
        self.said += said
        for one in said:
            fold_lock(self.part.locks, one)

    def clear(self, symbol: str = BTC) -> None:
        fold_lock(self.part.locks, PairLocked(
            ts_event=self.now_ns, symbol=symbol, until_ns=self.now_ns, reason="seen", by="me",
        ))  # fmt: skip

    def locked(self, symbol: str = BTC, side: str = "long") -> bool:
        return self.part.locks.against(symbol, side, self.now_ns) is not None


def test_so_many_stops_at_a_loss_stop_entries_everywhere() -> None:
    stand = Stand(guard=GUARD)
    stand.trip(LOSS, "stop")
    stand.trip(LOSS, "stop", symbol=ETH)
    assert stand.said == []
    stand.trip(LOSS, "stop")
    (said,) = stand.said
    assert (said.name, said.symbol, said.side) == ("guard", "*", "*")
    assert said.until_ns == stand.now_ns + HOUR_MS * MS_NS
    assert said.reason.startswith("stops=3 trade_limit=3 gain=-330 paid=15000 ")
    assert stand.locked(BTC)
    assert stand.locked("SOL/USDT", "short")


@pytest.mark.parametrize(
    ("px", "leg"), [(LOSS, "exit"), (LOSS, "target"), (GAIN, "stop"), (GAIN, "exit")]
)
def test_only_stops_at_a_loss_count_for_the_guard(px: int, leg: str) -> None:
    stand = Stand(guard=GUARD)
    for _ in range(5):
        stand.trip(px, leg)
    assert stand.said == []


def test_a_stop_that_kept_too_little_counts_where_profit_is_required() -> None:
    stand = Stand(guard={**GUARD, "required_profit_bps": 300})
    for _ in range(3):
        stand.trip(GAIN, "stop")  # 100 less 10 of 5 000: 180 hundredths of a percent
    assert len(stand.said) == 1


def test_stops_that_are_older_than_the_lookback_do_not_count() -> None:
    stand = Stand(guard={**GUARD, "lookback_ms": 10 * 60_000})
    for _ in range(6):
        stand.trip(LOSS, "stop")
        stand.now_ns += 4 * MINUTE_NS
    assert stand.said == []


def test_a_guard_of_pairs_counts_and_stops_each_by_itself() -> None:
    stand = Stand(guard={**GUARD, "only_per_pair": True})
    for symbol in (BTC, ETH, BTC, ETH, BTC):
        stand.trip(LOSS, "stop", symbol=symbol)
    assert [said.symbol for said in stand.said] == [BTC]
    assert (stand.locked(BTC), stand.locked(ETH)) == (True, False)


def test_a_guard_of_sides_counts_and_stops_each_by_itself() -> None:
    stand = Stand(guard={**GUARD, "only_per_side": True})
    for _ in range(3):
        stand.trip(LOSS, "stop")
    assert [said.side for said in stand.said] == ["long"]
    assert (stand.locked(BTC, "long"), stand.locked(BTC, "short")) == (True, False)


def test_entries_rest_until_a_time_of_the_day_where_one_is_named() -> None:
    stand = Stand(guard={**GUARD, "trade_limit": 1, "unlock_at": "00:30"})
    stand.trip(LOSS, "stop")
    assert stand.said[0].until_ns == parse_iso("2026-03-16T00:30:00Z")


def test_a_lock_ends_on_a_full_minute_rounded_up() -> None:
    stand = Stand(pause={"kind": "cooldown", "stop_duration_ms": 30_500})
    stand.trip(GAIN)
    (said,) = stand.said
    assert (said.symbol, said.until_ns) == (BTC, stand.now_ns + MINUTE_NS)
    assert said.reason == "closed by exit stop_duration_ms=30500"


def test_a_cooldown_of_nothing_stops_nothing() -> None:
    stand = Stand(pause={"kind": "cooldown"})
    stand.trip(LOSS, "stop")
    assert stand.said == []


def test_what_is_over_when_it_is_heard_of_is_not_said() -> None:
    stand = Stand(pause={"kind": "cooldown", "stop_duration_ms": 60_000})
    TripBook.trip(stand, GAIN)
    assert stand.guards.after_fill(stand.part, stand.now_ns + 2 * MINUTE_NS) == []


def test_a_pair_that_earns_too_little_rests_alone() -> None:
    stand = Stand(low={**LOW, "required_profit_bps": -100})
    stand.trip(LOSS)  # -110 of 5 000
    stand.trip(LOSS, symbol=ETH)
    stand.trip(GAIN)
    assert stand.said == []
    stand.trip(LOSS, symbol=ETH)
    (said,) = stand.said
    assert (said.symbol, said.name) == (ETH, "low")
    assert said.reason.startswith("trips=2 trade_limit=2 gain=-220 paid=10000 ")


def test_what_was_earned_is_held_against_what_was_paid_and_not_summed_by_ratio() -> None:
    stand = Stand(low={**LOW, "required_profit_bps": -100})
    stand.trade("buy", ONE // 10)
    stand.trade("sell", ONE // 10, MARK // 2)  # half of a small one is lost
    stand.trade("buy", 20 * ONE)
    stand.trade("sell", 20 * ONE)
    stand.take(stand.guards.after_fill(stand.part, stand.now_ns))
    assert stand.said == []


def test_a_protection_is_said_anew_only_when_it_ends_later() -> None:
    stand = Stand(guard={**GUARD, "trade_limit": 1, "unlock_at": "18:00"})
    for _ in range(3):
        stand.trip(LOSS, "stop")
    assert len(stand.said) == 1


def test_what_a_person_has_cleared_counts_anew() -> None:
    stand = Stand(guard={**GUARD, "only_per_pair": True})
    for _ in range(3):
        stand.trip(LOSS, "stop")
    stand.clear()
    assert not stand.locked()
    stand.trip(LOSS, "stop")
    stand.trip(LOSS, "stop")
    assert not stand.locked()
    stand.trip(LOSS, "stop")
    assert stand.locked()


def test_a_protection_that_is_off_says_nothing() -> None:
    stand = Stand(guard={**GUARD, "on": False}, fall={**FALL, "on": False})
    for _ in range(5):
        stand.trip(LOSS, "stop")
    stand.look(100_000)
    stand.look(10_000)
    assert stand.said == []


def test_a_fall_of_equity_stops_entries_with_not_one_trip() -> None:
    stand = Stand(fall=FALL)
    for equity in (100_000, 110_000, 99_100):
        stand.look(equity)
        stand.now_ns += MINUTE_NS
    assert stand.said == []
    stand.look(99_000)
    (said,) = stand.said
    assert (said.name, said.symbol, said.side) == ("fall", "*", "*")
    assert said.reason.startswith(
        "drawdown_bps=1000 max_allowed_drawdown_bps=1000 highest=110000 equity=99000 "
    )


def test_money_that_is_taken_out_is_no_fall() -> None:
    stand = Stand(fall=FALL)
    stand.look(100_000)
    stand.now_ns += MINUTE_NS
    stand.look(50_000, moved=50_000)
    assert stand.said == []
    stand.look(45_000, moved=50_000)
    assert len(stand.said) == 1


def test_a_fall_that_was_answered_is_counted_from_there() -> None:
    stand = Stand(fall=FALL)
    stand.look(100_000)
    stand.now_ns += MINUTE_NS
    stand.look(90_000)
    stand.now_ns += 2 * HOUR_MS * MS_NS
    stand.look(89_000)
    stand.look(81_001)
    assert len(stand.said) == 1
    stand.now_ns += MINUTE_NS
    stand.look(80_000)
    assert len(stand.said) == 2


def test_a_highest_that_is_older_than_the_lookback_counts_no_more() -> None:
    stand = Stand(fall={**FALL, "lookback_ms": HOUR_MS})
    stand.look(100_000)
    stand.now_ns += 30 * MINUTE_NS
    stand.look(95_000)
    stand.now_ns += 31 * MINUTE_NS
    stand.look(89_000)
    assert stand.said == []
    stand.look(85_500)
    assert len(stand.said) == 1


def test_what_stands_on_the_stream_is_known_after_all_was_forgotten() -> None:
    stand = Stand(fall=FALL)
    for scope, equity in (("account", 100_000), ("abcd", 900_000)):
        marked = EquityMarked(
            ts_event=stand.now_ns, quote="USDT", equity=equity * 100, quote_exp=2,
            deposits=100_000_00, kind="peak", scope=scope,
        )  # fmt: skip
        stand.guards.fold(stand.part, stand.ledger, marked)
    stand.now_ns += MINUTE_NS
    stand.look(90_000)
    assert stand.said[0].reason.startswith("drawdown_bps=1000 ")


def test_a_curve_is_bounded_and_keeps_the_highest() -> None:
    curve = Curve()
    for minute in range(20 * 1440):
        curve.add(NOON_NS + minute * MINUTE_NS, 10**9 - minute, 7 * DAY_NS)
    assert len(curve.points) <= POINTS + 2
    newest_ns = NOON_NS + (20 * 1440 - 1) * MINUTE_NS
    highest = curve.highest(newest_ns - 7 * DAY_NS)
    assert highest is not None
    assert highest >= 10**9 - (20 * 1440 - 1) + 7 * 1440 - 8
    assert curve.highest(newest_ns + 1) is None
