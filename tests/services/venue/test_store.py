"""The log of the account: damage is no tear, a long log is written anew, a full disk is final."""

from pathlib import Path

import pytest

from bus.errors import SettingsError
from services.venue import store
from services.venue.account import opening_of
from services.venue.records import Records
from services.venue.store import HEAD, account_path, open_log, packed, read
from tests.services.venue.scripted import Scripted, desk_of, ticket


def written(path: Path, orders: int) -> bytes:
    log, records = open_log(path)
    assert records is None
    desk = desk_of(Scripted())
    log.append(desk.records.drain())
    for _ in range(orders):
        order = desk.place(ticket("BUY", "LIMIT", "0.1", "90"))
        desk.cancel(order)
        changes = desk.drain()
        assert changes is not None
        log.append(changes.batch)
    log.close()
    return path.read_bytes()


@pytest.mark.parametrize("place", [0, 5, HEAD.size + 3])
def test_damage_with_whole_records_behind_it_is_refused_with_its_place(
    tmp_path: Path, place: int
) -> None:
    path = account_path(tmp_path)
    data = bytearray(written(path, 4))
    first = len(packed(desk_of(Scripted()).records.drain()))
    data[first + place] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(SettingsError, match=rf"account\.log is damaged at byte {first}"):
        open_log(path)
    assert path.read_bytes() == data


def test_a_long_log_loses_what_was_overwritten_and_nothing_else(tmp_path: Path) -> None:
    path = account_path(tmp_path)
    data = written(path, 50)
    before, _ = read(path, data)
    assert before is not None
    store.write_anew(path, before)
    after, length = read(path, path.read_bytes())
    assert after is not None and length < len(data) * 3 // 4
    assert after.orders == before.orders and list(after.orders) == list(before.orders)
    assert after.account.balances == before.account.balances
    assert (after.at_ms, after.numbers) == (before.at_ms, before.numbers)


def test_an_account_begins_when_there_is_no_log(tmp_path: Path) -> None:
    path = account_path(tmp_path)
    log, records = open_log(path)
    log.close()
    assert records is None and path.read_bytes() == b""
    assert read(path, b"\0" * 100) == (None, 0)


def test_a_log_that_could_not_be_written_takes_nothing_more() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        log = store.Log(Path("account.log"), full.fileno())
        batch = Records().drain()
        with pytest.raises(SettingsError, match="No space left") as first:
            log.append(batch)
        assert first.value.exit_code == 75
        with pytest.raises(SettingsError, match="an earlier batch"):
            log.append(batch)


def test_opening_balances_are_exact_and_named_once() -> None:
    assert opening_of(("USDT 100000", "BTC 0.00000001")) == {"USDT": 10**13, "BTC": 1}
    for wrong in (("USDT 1", "USDT 2"), ("USDT 999999999999",)):
        with pytest.raises(ValueError, match=r"named twice|does not fit"):
            opening_of(wrong)
