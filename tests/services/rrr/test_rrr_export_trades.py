"""`rrr trades export`: fills and lots as a tax program reads them, and lots conserve everything."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.units import DAY_NS
from services.rrr.lots import OTHER, UNKNOWN, Lot, Lots, Taken
from tests.services.bare import entered_house
from tests.services.rrr.answering import bare_environment
from tests.services.rrr.money_desk import Desk, exit_code, run

HEAD = "asset,qty,cost,acquired\n"


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A house in which nothing runs, entered."""
    with entered_house() as house:
        yield Desk(house)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def exported(*args: str) -> list[dict[str, str]]:
    done = run("trades", "export", *args)
    assert exit_code(done) == 0, done.output + repr(done.exception)
    return rows(done.stdout)


def lots_of(desk: Desk, *args: str) -> list[dict[str, str]]:
    place = desk.house.root / "lots.csv"
    exported("--lots", str(place), *args)
    return rows(place.read_text())


def opening(desk: Desk, text: str) -> str:
    place = desk.house.root / "opening.csv"
    place.write_text(text)
    return str(place)


def test_a_row_has_what_a_tax_program_asks_for(desk: Desk) -> None:
    desk.fill(1, "buy", 1_000, 6_000_000, fee=60_000_000)
    last = desk.fill(2, "sell", 500, 6_100_000, fee=30_500_000)
    desk.keep()
    _, row = exported()
    assert (row["time"], row["side"], row["symbol"]) == (
        "2023-11-14T02:00:00Z",
        "sell",
        "BTC/USDT",
    )
    assert (row["base"], row["quote"], row["qty"], row["price"]) == (
        "BTC",
        "USDT",
        "0.005",
        "61000",
    )
    assert (row["quote_amount"], row["fee"], row["fee_in_quote"]) == ("305", "0.305", "0.305")
    assert (row["realized"], row["trade"]) == ("5", last.venue_trade_id)


def test_the_oldest_lot_is_sold_first_and_fees_are_in_its_cost(desk: Desk) -> None:
    desk.fill(1, "buy", 1_000, 6_000_000, fee=100_000_000)
    desk.fill(26, "buy", 1_000, 7_000_000)
    desk.fill(50, "sell", 1_500, 8_000_000, fee=300_000_000)
    desk.keep()
    first, second = lots_of(desk)
    assert (first["qty"], first["acquired"], first["holding_days"]) == (
        "0.01",
        "2023-11-14T01:00:00Z",
        "2",
    )
    assert (first["cost"], first["proceeds"], first["gain"]) == ("601", "798", "197")
    assert (second["qty"], second["cost"], second["gain"]) == ("0.005", "350", "49")


def test_a_fee_in_the_base_asset_makes_a_smaller_lot(desk: Desk) -> None:
    desk.fill(1, "buy", 1_000, 6_000_000, fee=1_000, fee_asset="BTC")
    desk.fill(2, "sell", 999, 6_000_000)
    desk.keep()
    (lot,) = lots_of(desk)
    assert (lot["qty"], lot["cost"], lot["gain"]) == ("0.00999", "600", "-0.6")


def test_a_fee_in_a_third_asset_is_a_disposal_of_that(desk: Desk) -> None:
    desk.bars(0.9, [30_000] * 30, "BNB/USDT")
    desk.fill(1, "buy", 1_000, 6_000_000, fee=10_000_000, fee_asset="BNB")
    desk.keep("market")
    place = opening(desk, HEAD + "BNB,1,200,2023-01-01\n")
    (lot,) = lots_of(desk, "--opening", place)
    assert (lot["asset"], lot["kind"], lot["qty"], lot["cost"]) == ("BNB", "fee", "0.1", "20")
    assert (lot["proceeds"], lot["gain"]) == ("30", "10")
    assert exported()[0]["fee_in_quote"] == "30"


def test_a_fee_without_a_price_is_flagged_and_not_made_up(desk: Desk) -> None:
    desk.fill(1, "buy", 1_000, 6_000_000, fee=10_000_000, fee_asset="BNB")
    desk.keep()
    (row,) = exported()
    assert (row["fee_in_quote"], row["flags"]) == ("", "fee not valued")
    (lot,) = lots_of(desk)
    assert (lot["proceeds"], lot["gain"]) == ("", "")
    assert lot["flags"] == "unknown basis; fee not valued"


def test_what_was_held_before_is_known_by_import_alone(desk: Desk) -> None:
    desk.fill(1, "sell", 1_000, 6_000_000)
    desk.keep()
    (unknown,) = lots_of(desk)
    assert (unknown["flags"], unknown["cost"], unknown["gain"]) == ("unknown basis", "", "")
    assert unknown["proceeds"] == "600"
    done = run("trades", "export", "--lots", str(desk.house.root / "again.csv"))
    assert "0.01 BTC were sold whose cost is unknown" in done.stderr
    place = opening(desk, HEAD + "btc, 0.004, 100, 2023-01-01T00:00:00Z\n")
    known, rest = lots_of(desk, "--opening", place)
    assert (known["qty"], known["cost"], known["gain"]) == ("0.004", "100", "140")
    assert (rest["qty"], rest["flags"]) == ("0.006", "unknown basis")


def test_a_lot_of_another_currency_has_no_gain_in_this_one(desk: Desk) -> None:
    desk.fill(1, "sell", 1_000, 6_000_000)
    desk.keep()
    place = opening(desk, "asset,qty,cost,acquired,quote\nBTC,1,100,2023-01-01,EUR\n")
    (lot,) = lots_of(desk, "--opening", place)
    assert (lot["cost_currency"], lot["gain"], lot["flags"]) == ("EUR", "", OTHER)


def test_a_stretch_of_time_chooses_rows_and_not_what_they_cost(desk: Desk) -> None:
    desk.fill(1, "buy", 1_000, 6_000_000)
    desk.fill(26, "sell", 1_000, 6_100_000)
    desk.fill(50, "buy", 1_000, 6_000_000)
    desk.keep()
    (row,) = exported("--since", "2023-11-15", "--until", "2023-11-16")
    assert row["realized"] == "10"
    (lot,) = lots_of(desk, "--since", "2023-11-15")
    assert lot["cost"] == "600"


def test_a_file_has_its_name_once_it_is_whole(desk: Desk) -> None:
    desk.fill(1, "buy", 1_000, 6_000_000)
    desk.keep()
    place = desk.house.root / "fills.csv"
    assert exit_code(run("trades", "export", "--csv", str(place))) == 0
    assert len(rows(place.read_text())) == 1
    assert list(desk.house.root.glob(".*.part")) == []
    done = run("trades", "export", "--csv", str(desk.house.root / "no" / "place.csv"))
    assert exit_code(done) == 1
    assert "cannot be written" in str(done.exception)


def test_the_plain_verb_still_lists_the_newest_fills(desk: Desk) -> None:
    desk.fill(1, "buy", 1_000, 6_000_000)
    desk.keep()
    assert "BTC/USDT" in run("trades").output
    assert run("trades", "-n", "1", "--json").output.startswith("[{")


def test_a_reader_that_leaves_early_ends_it_quietly(desk: Desk) -> None:
    for number in range(1_500):
        desk.fill(1 + number / 1_000, "buy", 1_000, 6_000_000)
    desk.keep()
    process = subprocess.Popen(
        [sys.executable, "-m", "services.rrr", "trades", "export", "--lots", "lots.csv"],
        cwd=desk.house.root,
        env=bare_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert not (desk.house.root / "lots.csv").exists()


@pytest.mark.parametrize(
    "text",
    [
        "", "asset,qty\nBTC,1\n", HEAD + "BTC,x,1,2023-01-01\n", HEAD + "BTC,0,1,2023-01-01\n",
        HEAD + "BTC,1,-1,2023-01-01\n", HEAD + "BTC,1,1,lately\n", HEAD + ",1,1,2023-01-01\n",
        HEAD + "BTC,nan,1,2023-01-01\n", HEAD + "BTC,0.0000000000000000001,1,2023-01-01\n",
    ],
)  # fmt: skip
def test_an_opening_file_that_is_none_names_its_line(desk: Desk, text: str) -> None:
    done = run("trades", "export", "--opening", opening(desk, text))
    assert done.exit_code == 2
    assert "opening.csv" in done.output


def test_garbage_is_usage_and_asks_no_shard(desk: Desk) -> None:
    assert run("trades", "export", "--since", "soon").exit_code == 2
    assert run("trades", "export", "--method", "lifo").exit_code == 2
    assert run("trades", "export", "--lots", "-").exit_code == 2
    assert run("trades", "export", "--opening", str(desk.house.root / "none.csv")).exit_code == 2


MOVES = st.lists(
    st.tuples(st.booleans(), st.integers(1, 10**20), st.integers(-(10**3), 10**24)), max_size=40
)


@given(MOVES)
def test_lots_conserve_quantities_and_money_to_the_last_unit(moves: list[Any]) -> None:
    taken: list[Taken] = []
    lots, bought, paid = Lots(), 0, 0
    for at, (buys, qty, money) in enumerate(moves):
        if buys:
            lots.acquire("BTC", Lot(at + 1, qty, money, "USDT"))
            bought, paid = bought + qty, paid + money
            continue
        found = lots.dispose("BTC", "USDT", at * DAY_NS, qty, money)
        assert sum(one.qty for one in found) == qty
        assert sum(one.proceeds for one in found) == money
        taken += found
    held, cost = lots.held("BTC")
    known = [one for one in taken if one.cost is not None]
    costs = sum(one.cost or 0 for one in known)
    assert bought == held + sum(one.qty for one in known)
    assert paid == cost + costs
    gains = sum(one.gain or 0 for one in known)
    assert gains == sum(one.proceeds for one in known) - costs
    unknown = [one for one in taken if one.cost is None]
    assert all(one.flag == UNKNOWN and one.gain is None for one in unknown)
    assert [one.acquired_ns for one in known] == sorted(one.acquired_ns for one in known)


def test_what_was_never_bought_leaves_lots_as_they_are() -> None:
    lots = Lots()
    (one,) = lots.dispose("ETH", "USDT", 5, 10, 7)
    assert (one.cost is one.days is None, one.proceeds) == (True, 7)
    assert lots.held("ETH") == (0, 0)


def test_no_text_in_a_sheet_is_taken_for_a_formula(desk: Desk) -> None:
    desk.put_in(0, "USDT", 10**11)
    desk.fill(1, "buy", 1_000, 6_000_000, venue_trade_id="=1+1", fee=5, fee_asset="@SUM(A1)")
    desk.fill(2, "sell", 1_500, 5_900_000, venue_trade_id='-2",x')
    desk.keep()
    found, taken = exported(), lots_of(desk)
    assert [row["trade"] for row in found] == ["'=1+1", "'-2\",x"]
    assert [row["fee_asset"] for row in found] == ["'@SUM(A1)", "USDT"]
    assert taken[-2]["gain"] == "-10"  # A number stays one.
