"""Rows of a file: which are taken, which are told with their lines, and to what digit."""

from pathlib import Path

import pytest

from tests.services.rrr.data_desk import Desk, expected, lines, opens_s, values

TEN = range(10)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{t},0,2,1,1,1", "an open above zero"),
        ("{t},1,2,-1,1,1", "a low above zero"),
        ("{t},1,1,2,1,1", "a high that is not below the low"),
        ("{t},3,2,1,1,1", "a high that is not below open and close"),
        ("{t},2,3,2,1,1", "a low that is not above open and close"),
        ("{t},1,2,1,1,-1", "a volume that is not below zero"),
        ("{t},nan,2,1,1,1", "open to be a number"),
        ("{t},1,inf,1,1,1", "high to be a number"),
        ("{t},1,2,1,,1", "close to be a number"),
        ("{t},1,2,1,1,1e", "volume to be a number"),
        ("{t},1,2,1,1", "6 columns"),
        ("{t},1,2,1,1,1,1", "6 columns"),
        ("{t}500,1,2,1,1,1", "a time on the grid of 1m"),
        ("946598400,1,2,1,1,1", "a time after the year 2000"),
        ("{off},1,2,1,1,1", "a time on the grid of 1m"),
        ("4102444800,1,2,1,1,1", "a bar that is closed at"),
        ("yesterday,1,2,1,1,1", "a time: an epoch"),
        ("{t},1,2,1,1,99999999999999999999", "volume to be a number below 2**63"),
        ('{t},"1,2,1,1,1', "fields in quotes that are closed"),
        ("\x01\x7f", "6 columns"),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_the_others_are_taken(
    desk: Desk, line: str, why: str
) -> None:
    rows = lines(TEN)
    text = line.format(t=opens_s(77), off=opens_s(77) + 30)
    rows.insert(4, text)
    file = desk.take(desk.write(rows))
    assert (file["rows"], file["bars"], file["bad"]) == (11, 10, 1)
    (told,) = [one for one in desk.report(file) if one["what"] == "bad"]
    assert told["line"] == 6
    assert why in told["expected"]
    assert told in file["shown"]
    assert desk.bars() == expected(TEN)


def test_of_rows_with_one_time_the_larger_volume_stays_then_the_later(desk: Desk) -> None:
    t = opens_s(20)
    more = [f"{t},1,2,1,1,5", f"{t},1,2,1,1.5,5", f"{t},1,2,1,2,4", f"{t},1,2,1,1.5,5.0"]
    file = desk.take(desk.write([*lines(TEN), *more, lines([3])[0]]))
    assert (file["bars"], file["same"], file["duplicates"]) == (11, 2, 2)
    assert desk.bars()[-1][4] == "1.5"
    told = [one for one in desk.report(file) if one["what"] in {"same", "duplicate"}]
    assert [(one["what"], one["line"], one["kept_line"]) for one in told] == [
        ("same", 5, 16), ("duplicate", 14, 15), ("duplicate", 12, 15), ("same", 13, 15),
    ]  # fmt: skip


def test_rows_out_of_order_are_put_in_order_and_counted(desk: Desk) -> None:
    rows = lines([0, 1, 2, 5, 4, 3, 6, 8, 7, 9])
    file = desk.take(desk.write(rows))
    assert (file["order"], file["out_of_order"]) == ("oldest first", 3)
    assert desk.bars() == expected(TEN)


def test_gaps_are_counted_shown_and_never_filled(desk: Desk) -> None:
    file = desk.take(desk.write(lines([0, 1, 2, 3, 10, 11, 13, 14, 15])))
    assert file["missing"] == 7
    assert [gap["missing"] for gap in file["gaps"]] == [6, 1]
    assert file["gaps"][0] == {
        "from": "2024-03-01T00:04:00Z", "to": "2024-03-01T00:09:00Z", "missing": 6,
    }  # fmt: skip
    assert len(desk.bars()) == 9


def test_rows_of_another_symbol_in_one_file_are_bad(desk: Desk) -> None:
    rows = [f"{line},{'BTC/USDT' if n != 4 else 'ETH/USDT'}" for n, line in enumerate(lines(TEN))]
    path = desk.write(rows, "1m.csv", header="time,open,high,low,close,volume,symbol")
    file = desk.take(path)
    assert (file["symbol"], file["bars"], file["bad"]) == ("BTC/USDT", 9, 1)


def test_numbers_are_exact_or_their_rounding_is_told(desk: Desk) -> None:
    t = [opens_s(n) for n in range(4)]
    rows = [
        f"{t[0]},5.330000000000001e-05,5.34e-5,5.3299999999999997e-05,0.0000533,1",
        f"{t[1]},0.1234567890123456,1,0.1,0.5,123456.00000001",
        f"{t[2]},1,1,1,1,0.00000010",
        f"{t[3]},1,1.,.5,1,4e-7",
    ]
    file = desk.take(desk.write(rows))
    assert (file["restored"], file["rounded"]) == (2, 1)
    (told,) = [one for one in desk.report(file) if one["what"] == "rounded"]
    assert told == {
        "what": "rounded", "line": 3, "column": "open",
        "found": "0.1234567890123456", "kept": "0.123456789012",
    }  # fmt: skip
    assert [row[1:6] for row in desk.bars()] == [
        ("0.0000533", "0.0000534", "0.0000533", "0.0000533", "1"),
        ("0.123456789012", "1", "0.1", "0.5", "123456.00000001"),
        ("1", "1", "1", "1", "0.0000001"),
        ("1", "1", "0.5", "1", "0.0000004"),
    ]


def test_one_number_too_large_spoils_its_row_and_not_the_others(desk: Desk) -> None:
    rows = lines(range(200))
    o, h, low, c, _ = values(50)
    rows[50] = f"{opens_s(50)},{o},{h},{low},{c},9000000000000000000"
    file = desk.take(desk.write(rows))
    assert (file["bars"], file["bad"], file["rounded"]) == (199, 1, 0)
    assert "below 2**63 with 4 decimals" in file["shown"][0]["expected"]


def test_where_all_are_large_decimals_go_and_that_is_told(desk: Desk) -> None:
    rows = [f"{opens_s(n)},1,1,1,1,900000000000000000.{n + 1}" for n in range(5)]
    file = desk.take(desk.write(rows))
    assert (file["bars"], file["rounded"]) == (5, 0)
    rows = [f"{opens_s(n)},1,1,1,1,9000000000000000{n}.12345" for n in range(5)]
    file = desk.take(desk.write(rows, "ETH_USDT-1m.csv"))
    assert (file["bars"], file["rounded"]) == (5, 5)


def test_prices_far_apart_are_taken_and_shown(desk: Desk) -> None:
    rows = [*lines(TEN), f"{opens_s(10)},1,900,1,1,1", f"{opens_s(11)},100,100,82.5,90,1"]
    file = desk.take(desk.write(rows))
    assert (file["bars"], file["bad"], file["prices_odd"]) == (12, 0, 1)
    assert file["shown"][0]["high"] == "900.000"


def test_the_dates_beside_epochs_are_compared_with_them(desk: Desk) -> None:
    rows = [f"{line},2024-03-01 00:0{n}:00" for n, line in enumerate(lines(TEN))]
    rows[4] = rows[4].replace("00:04", "08:04")
    rows[5] = rows[5].replace("2024-03-01 00:05:00", "?")
    file = desk.take(desk.write(rows, header="timestamp,open,high,low,close,volume,datetime"))
    assert (file["bars"], file["dates_differ"]) == (10, 2)


def test_a_file_without_a_row_that_can_be_taken_leaves_its_report_alone(desk: Desk) -> None:
    file = desk.take(desk.write([f"{opens_s(n)},0,0,0,0,1" for n in range(30)]))
    assert (file["status"], file["rows"], file["bad"]) == ("refused", 30, 30)
    assert len(file["shown"]) == 20
    told = desk.report(file)
    assert [one["what"] for one in told] == ["bad"] * 30 + ["summary"]
    assert "none of its rows can be taken" in told[-1]["reason"]
    assert not list((desk.place() / "db").iterdir())


@pytest.mark.parametrize("at_s", [4_102_444_800, 946_598_400, 1_709_251_230])
def test_a_file_of_the_future_or_off_the_grid_is_refused_whole(desk: Desk, at_s: int) -> None:
    file = desk.take(desk.write([f"{at_s + 60 * n},1,2,1,1,1" for n in range(30)]))
    assert (file["status"], file["rows"], file["bad"]) == ("refused", 30, 30)


def test_rows_in_no_order_at_all_are_bars_all_the_same(desk: Desk) -> None:
    rows = lines([n * 37 % 101 for n in range(101)])
    file = desk.take(desk.write(rows))
    assert (file["bars"], file["missing"]) == (101, 0)
    assert desk.bars() == expected(range(101))
