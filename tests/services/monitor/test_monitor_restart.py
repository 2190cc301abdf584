"""The monitor on the bus: it reads the gateway from the beginning, and records no heartbeat."""

from pathlib import Path

from bus.clock import ManualClock
from bus.hub import Hub
from bus.memory import MemoryJournals
from bus.service import Parts
from schema.head import Message
from schema.house import Alert
from schema.orders import KillLevel
from schema.streams import STREAMS
from services.monitor.books import Books
from services.monitor.core import Monitor
from tests.bus.toy import launch, records, settle
from tests.services.monitor.account import SETTINGS, SNAPSHOT_S, fill, money, submitted, wish


def amounts(books: Books) -> dict[str, object]:
    every = {**books.cash, **books.positions}
    return {name: (book.amount, book.changed_pos) for name, book in every.items()}


class Gateway:
    """The gateway's stream, and nobody who sends orders."""

    def __init__(self) -> None:
        self.clock = ManualClock(1_000)
        self.hub = Hub()
        self.journals = MemoryJournals(self.clock)
        self._place = self.hub.join(())
        epoch = self.journals.open_epoch("gateway")
        self._writer = self.journals.writer(STREAMS["gateway.order"], epoch, "")

    def say(self, *messages: Message) -> None:
        for frame in self._writer.append(messages):
            self._place.send(frame)


def test_a_restart_gives_the_same_books_and_the_same_alerts(tmp_path: Path) -> None:
    gateway = Gateway()
    order = wish()
    gateway.say(money(), submitted(order), fill(order, "t1"))
    books, firing = [], []
    for trade_id in ("t2", "t3"):
        monitor = Monitor((), SETTINGS, 1.0, gateway.clock.market_ns(), SNAPSHOT_S)
        runner = launch(Parts(monitor), gateway.journals, gateway.hub, gateway.clock, tmp_path)
        settle(runner)
        books.append(amounts(monitor.audit.books))
        gateway.say(fill(order, trade_id))
        gateway.say(KillLevel(ts_event=0, level="HALTED", by="ann", reason="storm"))
        for _ in range(40):
            gateway.clock.advance(500_000_000)
            settle(runner)
        books.append(amounts(monitor.audit.books))
        firing.append([alert.name for alert in monitor.state.firing.values()])
        runner.stop("it is started again")
    assert books[1] == books[2]
    assert books[0] != books[1] != books[3]
    assert firing == [["KillLevel"], ["KillLevel"]]
    said = records(gateway.journals, "monitor.alert")
    assert [(type(message), getattr(message, "state", "")) for message in said] == [
        (Alert, "firing")
    ]
