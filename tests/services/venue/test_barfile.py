"""Files of bars: read exactly, refused with their line, played back to the last digit."""

import gzip
import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bus.errors import SettingsError
from schema.listing import instrument_of
from services.venue.barfile import HEADER, read_bars
from services.venue.columns import DAY_MS, MINUTE_MS
from services.venue.klines import Candles
from services.venue.payload import kline_row, symbol_row
from services.venue.replay import BarReplay

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"
BTC = SHARED / "typhonun_DcaTpStrategy" / "BTC_USDT_USDT-1m-futures.csv.gz"
T0 = 1_746_372_780_000
GOOD = f"{T0},95505.4,95505.5,95502.7,95502.7,16.536"


def rows(count: int, start: int = T0, step: int = MINUTE_MS) -> list[str]:
    return [f"{start + n * step},100.5,101.25,99,100,{n}.00000009" for n in range(1, count + 1)]


def written(folder: Path, *lines: str, header: str = HEADER, name: str = "with space.csv") -> Path:
    path = folder / name
    text = "\n".join([header, *lines, ""])
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["a b.csv", "a b.csv.gz"])
def test_a_file_is_read_with_the_decimals_that_it_has(tmp_path: Path, name: str) -> None:
    found = read_bars(written(tmp_path, *rows(3), name=name))
    assert found.px_exp == 2
    bars = found.bars(found.px_exp, 8)
    assert (bars.open[0], bars.high[0], bars.low[0]) == (10050, 10125, 9900)
    assert found.volume.tolist() == [100000009, 200000009, 300000009]


def test_small_numbers_as_programs_write_them_are_read(tmp_path: Path) -> None:
    flat = f"{T0},0.00012,0.00012,1.2e-04,0.00012,5e-05"
    found = read_bars(written(tmp_path, flat))
    assert (found.px_exp, found.low[0], found.volume[0]) == (5, 12_000, 5_000)


def test_numbers_padded_to_eight_decimals_do_not_make_a_finer_tick(tmp_path: Path) -> None:
    padded = f"{T0},100.50000000,100.50000000,100.25000000,100.25000000,5.00000000"
    assert read_bars(written(tmp_path, padded)).px_exp == 2
    as_shown = f"{T0},100.50,100.50,100.00,100.00,5"
    assert read_bars(written(tmp_path, as_shown)).px_exp == 2
    tiny = f"{T0},0.00001234,0.00001234,0.00001230,0.00001230,5"
    assert read_bars(written(tmp_path, tiny)).px_exp == 8


def test_line_ends_of_windows_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{GOOD}\r\n".encode())
    assert read_bars(path).at_ms.tolist() == [T0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "empty line"),
        ("1,2,3", "6 columns"),
        (GOOD + ",1", "6 columns"),
        (GOOD.replace("95505.4", "nan"), "plain decimal number as open"),
        (GOOD.replace("95505.4", "-1"), "plain decimal number as open"),
        (GOOD.replace("16.536", "1e-9"), "at most 8 decimals"),
        (GOOD.replace("16.536", "1e-500"), "plain decimal number as volume"),
        (GOOD.replace("16.536", " 1"), "plain decimal number as volume"),
        (GOOD.replace("16.536", "16.5360000001"), "at most 8 decimals"),
        (GOOD.replace("16.536", "99999999999.5"), "a number below"),
        (GOOD.replace("95505.4", "0.000000001"), "at most 8 decimals"),
        (GOOD.replace("95505.4,", "95502.6,"), "low <= open"),
        (GOOD.replace("16.536", "0.00000001"), "at least 3 lots"),
        (GOOD.replace("16.536", "0"), "at least 3 lots"),
        (GOOD.replace(str(T0), str(T0 // 1000)), "milliseconds since 1970"),
        (GOOD.replace(str(T0), str(T0 + 1)), "the start of a minute"),
        (GOOD.replace(str(T0), str(T0 - MINUTE_MS)), "a time after"),
        (GOOD.replace(str(T0), str(T0 - 2 * MINUTE_MS)), "a time after"),
    ],
)
def test_a_damaged_line_is_refused_by_file_and_number(
    tmp_path: Path, line: str, expected: str
) -> None:
    before = GOOD.replace(str(T0), str(T0 - MINUTE_MS))
    after = GOOD.replace(str(T0), str(T0 + 10 * MINUTE_MS))
    path = written(tmp_path, before, line, after)
    with pytest.raises(SettingsError) as refused:
        read_bars(path)
    assert f"{path}:3: expected" in refused.value.what
    assert expected in refused.value.what
    assert "venue.replay" in refused.value.hint


def test_an_empty_file_lacks_its_header(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.touch()
    with pytest.raises(SettingsError, match=r"empty\.csv:1: expected the header .* an empty file"):
        read_bars(path)


@pytest.mark.parametrize("header", ["", GOOD, "time,open,high,low,close,volume"])
def test_another_header_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(SettingsError, match=":1: expected the header timestamp_ms"):
        read_bars(written(tmp_path, GOOD, header=header))


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="found the end of the file"):
        read_bars(written(tmp_path))


def test_bars_of_an_hour_are_not_played_as_minutes(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="found bars of 60 minutes"):
        read_bars(written(tmp_path, *rows(12, step=60 * MINUTE_MS)))


def test_a_torn_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, *rows(2000), name="torn.csv.gz")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(SettingsError, match="expected a whole gzip file"):
        read_bars(path)
    path.write_bytes(b"not gzip at all")
    with pytest.raises(SettingsError, match="expected a whole gzip file"):
        read_bars(path)
    binary = tmp_path / "b.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="text in UTF-8"):
        read_bars(binary)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_bars(tmp_path / "absent.csv")


def played(path: Path, symbol: str = "BTC/USDT") -> list[list[Any]]:
    market = BarReplay(7, {symbol: [read_bars(path)]})
    candles, (facts,) = Candles(market), market.facts.values()
    assert market.end_ms is not None
    days = range(market.first_ms // DAY_MS, market.end_ms // DAY_MS + 1)
    found = [k for day in days for k in candles.of_day(facts.id, day, MINUTE_MS, market.end_ms)]
    trades = [len(market.day_tape(facts.id, day)) for day in days]
    ids = [market.day_tape(facts.id, day).first_id for day in days]
    assert ids == [1 + sum(trades[:n]) for n in range(len(ids))]
    before = itertools.accumulate((k.count for k in found), initial=1)
    assert all(k.first_id == first_id for k, first_id in zip(found, before, strict=False))
    return [kline_row(facts, kline, MINUTE_MS) for kline in found]


def test_a_minute_without_volume_prints_nothing_and_the_others_are_exact(tmp_path: Path) -> None:
    silent = f"{T0 + 20 * MINUTE_MS},100,100,100,100,0"
    path = written(tmp_path, *rows(8), silent, *rows(3, start=T0 + 30 * MINUTE_MS))
    assert [row[0] for row in played(path)] == [
        int(line.split(",")[0]) for line in (*rows(8), *rows(3, start=T0 + 30 * MINUTE_MS))
    ]


def test_a_day_of_many_units_is_played_with_decimals_that_leave_room_for_its_sums(
    tmp_path: Path,
) -> None:
    lines = [
        f"{T0 + n * MINUTE_MS},0.00000123,0.00000124,0.00000122,0.00000123,{n}0000000000.5"
        for n in (1, 2, 4)
    ]
    small = f"{T0 + 9 * MINUTE_MS},0.00000123,0.00000124,0.00000122,0.00000123,0.5"
    path = written(tmp_path, *lines, small)
    (facts,) = BarReplay(7, {"PEPE/USDT": [read_bars(path)]}).facts.values()
    assert (facts.px_exp, facts.qty_exp) == (8, 7)
    assert [row[5] for row in played(path)] == [
        *(f"{n}0000000000.50000000" for n in (1, 2, 4)),
        "0.50000000",
    ]


def test_the_listing_allows_every_price_that_a_file_may_hold(tmp_path: Path) -> None:
    path = written(tmp_path, f"{T0},{','.join(['46000000000'] * 4)},0.5")
    (facts,) = BarReplay(7, {"BTC/IDR": [read_bars(path)]}).facts.values()
    instrument = instrument_of(symbol_row(facts), 0)
    assert instrument.max_px > 46_000_000_000 * 10**facts.px_exp


def test_a_day_that_no_decimals_leave_room_for_is_refused(tmp_path: Path) -> None:
    px = ",".join(["9000000000"] * 4)
    lines = [f"{T0 + n * MINUTE_MS},{px},10000.00001" for n in (1, 2)]
    with pytest.raises(SettingsError, match="fit 64 bits at 5 and 5 decimals"):
        BarReplay(7, {"BIG/USDT": [read_bars(written(tmp_path, *lines, name="big.csv"))]})


@pytest.mark.skipif(not BTC.exists(), reason="the recorded market data is not on this machine")
@pytest.mark.slow
def test_a_recorded_month_is_played_back_to_the_last_digit() -> None:
    with gzip.open(BTC, "rt") as file:
        next(file)
        source = [line.strip().split(",") for line in file]
    found = played(BTC)
    assert len(found) == len(source)
    for row, line in zip(found, source, strict=True):
        assert row[0] == int(line[0])
        assert [Decimal(str(cell)) for cell in row[1:6]] == [Decimal(cell) for cell in line[1:]]
