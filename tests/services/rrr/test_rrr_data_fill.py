"""`rrr data fill`: higher bars from those that are there, and none that nobody traded."""

from pathlib import Path

import pytest

from tests.services.rrr.data_desk import Desk, lines, opens_s


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def filled(desk: Desk, *words: str) -> dict[str, tuple[int, int, int]]:
    answer = desk.rrr("fill", "--json", "--no-archive", *words)
    assert answer.code == 0, answer.err
    return {one["timeframe"]: (one["built"], one["equal"], one["differing"]) for one in answer.json}


def test_a_bar_is_made_of_its_minutes(desk: Desk) -> None:
    desk.take(desk.write(lines(range(5))))
    assert filled(desk, "--timeframes", "5m") == {"5m": (1, 0, 0)}
    assert desk.bars(timeframe="5m") == [
        (str(opens_s(0)), "100.5", "106.25", "99", "105.125", "15.0005", "0", "0")
    ]


def test_bars_at_the_edges_and_in_gaps_are_not_invented(desk: Desk) -> None:
    there = [*range(2, 11), *range(31, 33), *range(45, 64)]
    desk.take(desk.write(lines(there)))
    assert filled(desk)["5m"] == (6, 0, 0)
    opened = [int(row[0]) for row in desk.bars(timeframe="5m")]
    assert opened == [opens_s(n) for n in (5, 10, 30, 45, 50, 55)]
    assert [int(row[0]) for row in desk.bars(timeframe="15m")] == [opens_s(n) for n in (30, 45)]
    assert filled(desk)["1h"] == (0, 0, 0)


def test_filling_again_builds_nothing(desk: Desk) -> None:
    desk.take(desk.write(lines(range(3000))))
    assert filled(desk) == {
        "5m": (600, 0, 0), "15m": (200, 0, 0), "1h": (50, 0, 0), "4h": (12, 0, 0), "1d": (2, 0, 0),
    }  # fmt: skip
    assert filled(desk)["5m"] == (0, 600, 0)


def test_what_is_there_and_differs_stays_and_is_listed(desk: Desk) -> None:
    desk.take(desk.write([f"{opens_s(0)},1,2,1,2,7", f"{opens_s(5)},1,2,1,2,7"], "BTC_USDT-5m.csv"))
    desk.take(desk.write(lines(range(15))))
    answer = desk.rrr("fill", "--check", "--timeframes", "5m", "--json", "--dry-run")
    (one,) = answer.json
    assert (one["built"], one["equal"], one["differing"]) == (1, 0, 2)
    assert one["differs"][0]["open"] == "2024-03-01T00:00:00Z"
    assert len(desk.bars(timeframe="5m")) == 2
    assert filled(desk, "--timeframes", "5m") == {"5m": (1, 0, 2)}
    assert desk.bars(timeframe="5m")[0][1:3] == ("1", "2")
    filled(desk, "--timeframes", "5m", "--replace")
    assert filled(desk, "--timeframes", "5m") == {"5m": (0, 3, 0)}


def test_a_dry_run_builds_for_nobody(desk: Desk) -> None:
    desk.take(desk.write(lines(range(60))))
    assert filled(desk, "--dry-run")["5m"] == (12, 0, 0)
    assert desk.bars(timeframe="5m") == []


def test_sums_that_some_bar_does_not_know_are_unknown(desk: Desk) -> None:
    header = "timestamp,open,high,low,close,volume,quote_volume,trades"
    rows = [f"{line},{n + 1}.5,{3 * (n != 7)}" for n, line in enumerate(lines(range(10)))]
    desk.take(desk.write(rows, header=header))
    filled(desk, "--timeframes", "5m")
    assert [row[6:] for row in desk.bars(timeframe="5m")] == [("17.5", "15"), ("42.5", "0")]


def test_archived_minutes_are_built_from_and_what_is_built_is_archived(desk: Desk) -> None:
    desk.rrr("import", desk.write(lines(range(60))))
    assert desk.rrr("fill").code == 0
    assert list((desk.place() / "db").glob("*.db")) == []
    assert len(desk.bars(timeframe="5m")) == 12


def test_months_of_different_decimals_are_filled_as_one_series(desk: Desk) -> None:
    desk.take(desk.write(lines(range(10))))
    fine = [
        f"{opens_s(n)},1.0000000001,1.0000000002,1,1.0000000001,1" for n in range(50_000, 50_010)
    ]
    desk.take(desk.write(fine, "f/BTC_USDT-1m.csv"))
    assert filled(desk, "--timeframes", "5m") == {"5m": (4, 0, 0)}
    assert [row[2] for row in desk.bars(timeframe="5m")] == [
        "106.25", "111.25", "1.0000000002", "1.0000000002",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code"),
    [(("--timeframes", "2m"), 2), (("--timeframes", ""), 2), (("--from", "7m"), 2),
     (("--from", "1h", "--timeframes", "5m"), 2), (("NO/SUCH",), 3), (("--from", "1d"), 3),
     (("--exchange", "nowhere"), 3)],
)  # fmt: skip
def test_what_cannot_be_built_is_refused_in_one_line(
    desk: Desk, words: tuple[str, ...], code: int
) -> None:
    desk.take(desk.write(lines(range(5))))
    answer = desk.rrr("fill", *words)
    assert answer.code == code
    assert "Traceback" not in answer.err
