"""Play money that comes and goes while the exchange runs: kept, told once, never more than free."""

from pathlib import Path

import msgspec
import pytest

from schema.house import Command, CommandDone
from services.venue import store
from services.venue.core import Venue
from services.venue.effects import MoneyMoved, MoveMoney
from services.venue.records import Batch
from services.venue.store import account_path, open_log, read
from services.venue.userstream import events_of
from tests.services.venue.scripted import Scripted, desk_of

UNIT = 10**8


def test_money_moves_are_kept_told_and_survive_a_log_written_anew(tmp_path: Path) -> None:
    path = account_path(tmp_path)
    log, _ = open_log(path)
    desk = desk_of(Scripted())
    log.append(desk.records.drain())
    before = desk.records.account.free("USDT")
    for amount in (250 * UNIT, 250 * UNIT, -3):
        desk.move("USDT", amount)
        changes = desk.drain()
        assert changes is not None
        moved, position = events_of(changes, {})
        assert (moved["e"], moved["a"]) == ("balanceUpdate", "USDT")
        assert position["e"] == "outboundAccountPosition"
        log.append(changes.batch)
    log.close()
    assert desk.drain() is None
    records, _ = read(path, path.read_bytes())
    assert records is not None
    store.write_anew(path, records)
    again, _ = read(path, path.read_bytes())
    assert again is not None
    assert again.moves == records.moves == desk.records.moves
    assert len({moved.at_ms for moved in again.moves}) == 3
    assert again.account.free("USDT") == before + 500 * UNIT - 3


def test_a_log_from_before_money_moved_is_read() -> None:
    old = msgspec.msgpack.encode((5, 1, {"USDT": (7, 0)}, [], [], []))
    assert msgspec.msgpack.decode(old, type=Batch).moves == ()


@pytest.mark.parametrize("amount", [-(10**18), 2**63])
def test_no_more_goes_than_is_free_and_no_more_comes_than_fits(amount: int) -> None:
    desk = desk_of(Scripted())
    with pytest.raises(ValueError, match=r"free|fit"):
        desk.move("USDT", amount)
    assert desk.drain() is None


@pytest.mark.parametrize(
    ("verb", "args", "delta"),
    [
        ("deposit", ("USDT", "100.5"), "100.5"), ("withdraw", ("BTC", "1"), "-1"),
        ("deposit", ("USDT", "0"), ""), ("deposit", ("USDT", "-1"), ""), ("deposit", ("USDT",), ""),
        ("withdraw", ("usdt", "1"), ""), ("deposit", ("USDT", "1e9"), ""),
    ],
)  # fmt: skip
def test_a_person_says_what_moves_in_plain_numbers(
    verb: str, args: tuple[str, ...], delta: str
) -> None:
    venue = Venue()
    (out,) = venue.handle(Command(request_id="7", verb=verb, args=args, by="me"), 0)
    if not delta:
        assert isinstance(out, CommandDone) and not out.ok and "expected" in out.text
        return
    assert isinstance(out, MoveMoney) and (out.asset, out.delta) == (args[0], delta)
    (done,) = venue.handle(MoneyMoved(effect_id="7", ok=True, text="there"), 0)
    assert done == CommandDone(request_id="7", ok=True, text="there")
