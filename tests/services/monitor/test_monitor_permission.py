"""Real money: somebody is told before its permission ends, and while there is none."""

from bus.service import Heard
from schema.head import Message
from schema.house import Alert, Heartbeat, Started, Timer
from schema.orders import AccountSnapshot, LiveArmed, LiveDisarmed
from schema.settings import MonitorSettings
from schema.streams import STREAMS
from services.monitor.core import Monitor
from services.monitor.permission import Permission
from tests.services.test_monitor import beat

NS = 1_000_000_000
HOUR_NS = 3_600 * NS
START_NS = 1_800_000_000 * NS
ORDER = STREAMS["gateway.order"].number
SETTINGS = MonitorSettings(lag_ms=2_000, writer_behind_s=60, disk_free_mib=2_048)


def armed(until_ns: int) -> LiveArmed:
    return LiveArmed(ts_event=START_NS, until_ns=until_ns, account="a", by="me", reason="x")


def snapshot(until_ns: int) -> AccountSnapshot:
    return AccountSnapshot(
        ts_event=0,
        level="ACTIVE",
        by="",
        reason="",
        since_ns=0,
        reconciled_ns=0,
        armed_until_ns=until_ns,
    )


def names(found: Permission, now_ns: int) -> list[str]:
    return [one.name for one in found.conditions(now_ns)]


def test_two_hours_before_its_end_somebody_is_told() -> None:
    found = Permission(needed=True)
    assert names(found, START_NS) == ["LiveNotArmed"]
    found.take(armed(START_NS + 7 * HOUR_NS))
    assert names(found, START_NS) == []
    assert names(found, START_NS + 5 * HOUR_NS - 1) == []
    assert names(found, START_NS + 5 * HOUR_NS) == ["LiveArmEnds"]
    assert names(found, START_NS + 7 * HOUR_NS) == ["LiveNotArmed"]


def test_a_word_or_a_snapshot_of_the_gateway_ends_it() -> None:
    found = Permission(needed=True)
    found.take(armed(START_NS + 7 * HOUR_NS))
    found.take(LiveDisarmed(ts_event=START_NS, by="me", reason="enough"))
    assert "by me: enough" in found.conditions(START_NS)[0].summary
    until_ns = START_NS + 3 * HOUR_NS
    found.take(snapshot(until_ns))
    assert names(found, START_NS) == []


def test_what_a_snapshot_alone_told_is_over_in_its_time() -> None:
    found = Permission(needed=True)
    assert "nobody has armed it yet" in found.conditions(START_NS)[0].summary
    found.take(snapshot(START_NS + HOUR_NS))
    assert names(found, START_NS) == ["LiveArmEnds"]
    assert "its time is over" in found.conditions(START_NS + HOUR_NS)[0].summary


def test_a_house_without_real_money_is_never_told() -> None:
    found = Permission(needed=False)
    found.take(armed(START_NS + HOUR_NS))
    assert names(found, START_NS) == []


class House:
    """A monitor of a house with real money, and everybody in health."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.pos = 0
        self.monitor = Monitor(("monitor",), SETTINGS, 1.0, START_NS, 60, needs_arm=True)
        self.monitor.handle(Started(epoch=1, grade="fresh"), START_NS)

    def say(self, message: Message) -> None:
        self.pos += 1
        self.monitor.hear(Heard(message, ORDER, self.pos), self.now_ns)

    def wait_s(self, seconds: int) -> list[tuple[str, str]]:
        """Let time pass, and return the alerts that began or ended."""
        found = []
        for _ in range(2 * seconds):
            self.now_ns += NS // 2
            sign: Heartbeat = beat("monitor")
            self.monitor.handle(sign, self.now_ns)
            outs = self.monitor.handle(Timer(name="check", at_ns=0), self.now_ns)
            alerts = [out for out in outs if isinstance(out, Alert)]
            for alert in alerts:
                self.monitor.apply(alert)
            found += [(alert.name, alert.state) for alert in alerts]
        return found


def test_the_alerts_come_and_go_with_the_permission() -> None:
    house = House()
    assert house.wait_s(15) == [("LiveNotArmed", "firing")]
    house.say(armed(house.now_ns + HOUR_NS))
    assert house.wait_s(2) == [("LiveArmEnds", "firing"), ("LiveNotArmed", "resolved")]
    house.say(armed(house.now_ns + 24 * HOUR_NS))
    assert house.wait_s(2) == [("LiveArmEnds", "resolved")]
