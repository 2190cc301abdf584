"""What reads `gateway.order` from its files passes over the snapshots in it, and finds the rest."""

from pathlib import Path

from bus.clock import ManualClock
from bus.journals import DiskJournals
from schema.orders import AccountSnapshot, InstrumentHalted, KillLevel, OpenOrder, OrderDenied
from schema.streams import STREAMS
from services.rrr.said import last_of, last_said, said_at, said_from, said_with
from tests.bus.toy import intent

ORDER = STREAMS["gateway.order"]
ID = "f" * 32


def journal(path: Path) -> tuple[int, int]:
    """Return the positions of a denial, and of the snapshot behind it that names it too."""
    journals = DiskJournals(path, ManualClock(1_000))
    writer = journals.writer(ORDER, journals.open_epoch("gateway"), "code")
    denied = OrderDenied(
        ts_event=1, client_order_id=ID, symbol="BTC/USDT", code="X", detail="", by="risk"
    )
    writer.append([KillLevel(ts_event=1, level="HALTED", by="me", reason="why"), denied])
    before = writer.last
    order = OpenOrder(intent(1), 1, 1, "ACCEPTED", "ACCEPTED", 1, 0, 8, ID)
    snapshot = AccountSnapshot(
        ts_event=2, level="HALTED", by="me", reason="why", since_ns=1, reconciled_ns=0,
        orders=(order,),
    )  # fmt: skip
    writer.append([snapshot])
    writer.close("done")
    return before, before + 1


def test_what_is_found_by_a_text_is_no_snapshot_that_names_it_too(tmp_path: Path) -> None:
    denied, _ = journal(tmp_path)
    found = [seen.pos for seen in said_with(tmp_path, ORDER.name, ID)]
    assert found == [denied, denied - 1]  # All of the record that holds it.


def test_what_is_read_in_order_or_last_is_no_snapshot(tmp_path: Path) -> None:
    denied, snapshot = journal(tmp_path)
    assert [seen.pos for seen in said_from(tmp_path, ORDER.name, 0)] == [denied - 1, denied]
    assert said_at(tmp_path, ORDER.number, snapshot) is None
    last = last_said(tmp_path, ORDER.name)
    assert last is not None
    assert last.pos == denied
    found = last_of(tmp_path, ORDER.name, 0, KillLevel)
    assert found is not None
    assert found.level == "HALTED"
    assert last_of(tmp_path, ORDER.name, 0, InstrumentHalted) is None
