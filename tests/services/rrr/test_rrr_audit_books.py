"""`rrr audit` where rows, the venue or nothing at all stand against the journals; the command."""

import json
from typing import Any

import msgspec
import pytest

from bus.house import House
from schema import orders
from services.venue.account import Balance
from services.venue.records import Batch
from services.venue.store import packed
from tests.services.rrr.audit_world import World, a_day, audited, standing, verb, wrong
from tests.services.rrr.store_desk import damaged, exit_code, file_of

ORDER = "gateway.order"


@pytest.fixture
def world() -> World:
    return a_day().copy()


def sql(*statements: str) -> Any:
    def harm(house: House) -> None:
        damaged(file_of(house, "trading"), *statements)

    return harm


@pytest.mark.parametrize(
    ("check", "statement", "word"),
    [
        ("shard trades", "UPDATE trades SET fee = fee + 1", "fee is"),
        ("shard trades", "DELETE FROM trades", "no row"),
        (
            "shard trades",
            (
                "INSERT INTO trades SELECT symbol, '777', client_order_id, venue_order_id, ts_ns, "
                "side, px, qty, quote_qty, fee, fee_asset, maker, late, px_exp, qty_exp, "
                "quote_exp, fee_exp, trace FROM trades LIMIT 1"
            ),
            "trade 777",
        ),
        ("shard ledger", "UPDATE ledger SET amount = amount + 1 WHERE id = 1", "come to"),
        ("shard ledger", "DELETE FROM ledger WHERE kind <> 'deposit'", "not in the ledger"),
        ("shard positions", "UPDATE positions SET qty = qty + 1", "qty is"),
        ("shard positions", "DELETE FROM positions", "no row"),
        ("shard orders", "UPDATE orders SET status = 'EXPIRED'", "EXPIRED"),
        ("shard orders", "UPDATE orders SET filled_qty = filled_qty + 1", "filled"),
        ("shard orders", "DELETE FROM orders", "no row"),
    ],
)
def test_whoever_touches_the_shard_is_found(
    world: World, check: str, statement: str, word: str
) -> None:
    assert word in wrong(audited(world, sql(statement)))[check]


def test_money_that_moved_at_the_venue_alone_is_found(world: World) -> None:
    batch = Batch(0, 0, {"USDT": Balance(1, 0)}, [], [], [])
    world.account.append(packed(batch))
    assert "USDT: 0.00000001 at the venue" in wrong(audited(world))["venue"]


def test_money_that_a_person_has_explained_is_no_difference(world: World) -> None:
    held = world.balance("USDT")
    batch = Batch(0, 0, {"USDT": Balance(held.free + 5, held.locked)}, [], [], [])
    world.account.append(packed(batch))
    total = held.free + held.locked + 5
    seen = orders.BalanceSeen(ts_event=1, asset="USDT", free=total, locked=0, difference=5, exp=8)
    world.add(ORDER, seen)
    found = wrong(audited(world))
    assert set(found) == {"venue", "venue-seen"}
    assert "USDT: 0.00000005 is there that nobody has explained" in found["venue-seen"]
    about: dict[str, Any] = {"asset": "USDT", "amount": 5, "exp": 8, "venue_id": "adopted-1"}
    world.add(ORDER, orders.Deposit(ts_event=1, book="external", **about))
    world.add(ORDER, msgspec.structs.replace(seen, difference=0))
    assert wrong(audited(world)) == {}


def test_the_command_ends_with_five_and_names_the_check(world: World) -> None:
    _, fill = world.said(ORDER, orders.Fill)[0]
    assert told(world, "--json")[0] == 0
    world.add(ORDER, fill)
    code, out = told(world, "--json")
    assert code == 5
    report = json.loads(out.splitlines()[0])
    assert report["ok"] is False
    assert {one["name"] for one in report["checks"] if not one["ok"]} == {"trades"}
    assert all(set(one) == {"name", "ok", "detail"} for one in report["checks"])
    code, out = told(world)
    assert code == 5
    assert "trades" in out
    assert "DIFFERS" in out


def test_a_house_that_never_lived_has_nothing_to_differ() -> None:
    empty = object.__new__(World)
    empty.frames, empty.account, empty.shard = {}, [], b""
    with standing(empty) as house:
        (house.journal_dir.parent / "venue" / "account.log").unlink()
        assert exit_code(verb(house, "audit", "--json")) == 0


def told(world: World, *args: str) -> tuple[int, str]:
    with standing(world) as house:
        done = verb(house, "audit", *args)
        return exit_code(done), done.output
