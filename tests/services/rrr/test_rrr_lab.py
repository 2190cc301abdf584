"""What a notebook asks of a house, and that asking holds nobody up."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]  # it ships none, and the lock has none
import pytest

from bus.errors import HouseError, ShardError
from bus.house import House
from bus.rows import Reader
from schema.streams import STREAMS
from services.rrr.lab import Lab, house
from services.rrr.lab_plain import is_time, plain_name
from services.rrr.lab_table import form_of, table
from tests.services.bare import bare_house
from tests.services.rrr.lab_desk import (
    FIRST_NS,
    HOUR_NS,
    NOVEMBER_NS,
    QUOTES,
    RUN_ID,
    STRATEGY,
    furnish,
    minute,
    write,
)
from tests.services.rrr.trade_day import MINUTE_NS, NOON_NS, SYMBOL

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def furnished() -> Iterator[House]:
    with bare_house() as made:
        furnish(made)
        yield made


@pytest.fixture
def lab(furnished: House) -> Lab:
    return Lab(furnished)


@pytest.fixture
def empty() -> Iterator[Lab]:
    with bare_house() as made:
        yield Lab(made)


def opens(bars: Any) -> list[int]:
    return [int(ns) for ns in bars["time"].astype(np.int64)]


def test_the_house_is_found_from_within_and_by_its_path(furnished: House) -> None:
    found = house(furnished.root / "data")
    assert found.house.root == furnished.root
    before = Path.cwd()
    try:
        os.chdir(furnished.run)
        assert house().house.root == furnished.root
    finally:
        os.chdir(before)
    assert repr(found) == (
        f"<house {furnished.root}, world {furnished.world}, mode {furnished.settings.mode}, down>"
    )


def test_with_broken_settings_the_shipped_ones_serve(
    empty: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty.house.root / "settings.local.toml").write_text("[nonsense]\n")
    assert house(empty.house.root).house.root == empty.house.root
    assert "nonsense" in capsys.readouterr().err


def test_bars_come_from_all_months_with_plain_prices(lab: Lab) -> None:
    bars = lab.bars(SYMBOL, since="30d", to="numpy")
    border = [NOVEMBER_NS + n * MINUTE_NS for n in range(-3, 3)]
    assert opens(bars)[:6] == border
    assert opens(bars)[6] == FIRST_NS
    assert bars["time"].dtype == "datetime64[ns]"
    last = bars[-1]
    assert (last["open"], last["volume"], last["trades"]) == (60_000.0, 2.5, 4)
    assert last["close"] == (6_000_000 + len(bars) - 7) / 100


def test_a_span_counts_from_the_newest_bar_of_a_house_that_is_down(lab: Lab) -> None:
    assert opens(lab.bars(SYMBOL, since="5m", to="numpy")) == [
        NOON_NS + n * MINUTE_NS for n in range(-5, 0)
    ]
    iso = lab.bars(SYMBOL, since="2023-11-01", until="2023-11-01T00:02:00Z", to="numpy")
    assert opens(iso) == [NOVEMBER_NS, NOVEMBER_NS + MINUTE_NS]


def test_a_longer_timeframe_is_made_of_whole_minutes(lab: Lab) -> None:
    hours = lab.bars(SYMBOL, "1h", since=FIRST_NS - 1, to="numpy")
    assert opens(hours) == [FIRST_NS + n * HOUR_NS for n in range(3)]  # the fourth is open still
    first, second = hours[0], hours[1]
    assert (first["open"], first["close"], second["close"]) == (60_000.0, 60_000.59, 60_001.19)
    assert (first["high"], first["low"], first["volume"]) == (60_005.59, 59_990.0, 150.0)
    assert first["trades"] == 240
    inside = lab.bars(SYMBOL, "1h", since=FIRST_NS + 1, until=FIRST_NS + HOUR_NS + 1, to="numpy")
    assert opens(inside) == [FIRST_NS + HOUR_NS]


def test_a_symbol_a_timeframe_and_a_moment_that_are_unknown_are_named(lab: Lab) -> None:
    with pytest.raises(HouseError, match="Kept are: BTC/USDT"):
        lab.bars("DOGE/USDT", to="numpy")
    with pytest.raises(HouseError, match="The timeframes are: 1m, 5m"):
        lab.bars(SYMBOL, "7m", to="numpy")
    with pytest.raises(HouseError, match="no moment 'yesterday'"):
        lab.bars(SYMBOL, since="yesterday", to="numpy")
    assert len(lab.bars(SYMBOL, since=NOON_NS + HOUR_NS, to="numpy")) == 0


def test_fills_carry_what_was_decided_on(lab: Lab) -> None:
    (fill,) = lab.fills(to="numpy")
    assert (fill["price"], fill["ref_price"]) == (60_001.0, 60_000.07)
    assert (fill["qty"], fill["quote_qty"], fill["fee"]) == (0.003, 180.003, 0.180003)
    assert (fill["strategy"], fill["maker"]) == (STRATEGY, False)
    assert len(lab.fills(since=NOON_NS + 1, to="numpy")) == 0


def test_orders_and_equity_are_plain_numbers(lab: Lab) -> None:
    orders = lab.orders(to="numpy")
    stop = next(order for order in orders if order["leg"] == "stop")
    assert (stop["stop_price"], stop["qty"]) == (59_000.0, 0.003)
    assert np.isnan(orders["limit_price"].astype(float)).all()
    assert lab.equity(to="numpy")["equity"].tolist() == [99_999.9, 99_990.0]


def test_notes_become_columns_and_numbers_where_they_are(lab: Lab) -> None:
    notes = lab.notes(STRATEGY, to="numpy")
    assert notes["action"].tolist() == ["enter", "hold"]
    assert notes["probability"].tolist() == [0.61, 0.52]
    assert notes["mood"].tolist() == [None, "calm"]
    assert np.isnan(notes["note_qty"][0])
    assert notes["note_qty"][1] == 3
    assert len(lab.notes("trend", to="numpy")) == 0  # the settings name it
    with pytest.raises(HouseError, match="no strategy 'nobody'"):
        lab.notes("nobody", to="numpy")


def test_a_stream_is_cut_to_its_newest_messages_and_says_so(lab: Lab) -> None:
    assert len(lab.stream("ingest.quote", to="numpy")) == QUOTES
    with pytest.warns(UserWarning, match="only the newest 3 are shown"):
        cut = lab.stream("ingest.quote", limit=3, to="numpy")
    assert cut["update_id"].tolist() == [QUOTES - 3, QUOTES - 2, QUOTES - 1]
    assert cut["bid_px"][-1] == 60_000.19
    since = lab.stream("ingest.quote", since=NOON_NS - 5_000_000_000, to="numpy")
    assert len(since) == 5


def test_every_stream_that_has_a_journal_can_be_asked(lab: Lab) -> None:
    for name, stream in STREAMS.items():
        if stream.journaled:
            assert lab.stream(name, to="numpy").dtype.names[:4] == ("time", "said", "pos", "type")
    order = lab.stream("gateway.order", to="numpy")
    assert '"qty":300' in order["intent"][0]
    assert order["cause_stream"][0] == "risk.verdict"


def test_no_two_fields_of_a_message_become_one_column() -> None:
    for stream in STREAMS.values():
        for kind in stream.messages:
            names = [plain_name(name) for name in kind.__struct_fields__]
            assert len(names) == len({*names}), kind
    assert plain_name("open_ns") == "open_time"
    assert not is_time("horizon_ns")


def test_a_stream_that_is_not_there_or_not_kept_is_refused(lab: Lab) -> None:
    with pytest.raises(HouseError, match=r"The nearest is ingest\.quote"):
        lab.stream("ingest.quotes", to="numpy")
    with pytest.raises(HouseError, match="told and not kept"):
        lab.stream("engine.hb", to="numpy")


def test_a_run_has_its_figures_its_equity_and_its_trades(lab: Lab) -> None:
    run = lab.run(RUN_ID[:4], to="numpy")
    assert repr(run) == f"<run {RUN_ID} of {STRATEGY}, 2 orders>"
    assert run.metrics["return"] == 0.0006
    assert (run.equity["equity"][0], run.equity["equity"][-1]) == (1_000.0, 1_000.59)
    assert (run.trades["gain"][0], run.trades["qty"][0]) == (0.25, 0.003)
    assert run.prices["px"][0] == 60_000.0
    assert lab.runs(to="numpy")["return"].tolist() == [0.0006]
    with pytest.raises(HouseError, match="there is none"):
        lab.run("ffff", to="numpy")


@pytest.mark.parametrize("sql", ["DELETE FROM bar", "CREATE TABLE t (a)", "ATTACH 'x' AS y"])
def test_a_statement_that_writes_is_refused(lab: Lab, sql: str) -> None:
    with pytest.raises(ShardError, match="only reads"):
        lab.sql("market", sql, to="numpy")


def test_a_query_is_answered_as_it_stands(lab: Lab) -> None:
    found = lab.sql("trading", "SELECT price, qty, NULL AS more FROM fills", to="numpy")
    assert found.tolist() == [("60001.00", "0.00300", None)]
    with pytest.raises(HouseError, match="there is no shard 'news'"):
        lab.sql("news", "SELECT 1")
    with pytest.raises(HouseError, match="the query is empty"):
        lab.sql("market", " ")


def test_a_shard_that_is_not_there_yet_is_named(empty: Lab) -> None:
    with pytest.raises(ShardError, match="no market shard"):
        empty.bars(SYMBOL, to="numpy")
    with pytest.raises(ShardError, match="no trading shard"):
        empty.fills(to="numpy")
    with pytest.raises(ShardError, match="no backtest shard"):
        empty.runs(to="numpy")
    quotes = empty.stream("ingest.quote", to="numpy")
    assert len(quotes) == 0
    assert quotes["bid_px"].dtype == np.float64  # Its columns are there without a row.


def test_an_unknown_form_of_a_table_is_refused() -> None:
    with pytest.raises(HouseError, match="The forms are: pandas, polars, numpy"):
        form_of("arrow")


def test_numbers_that_a_float_cannot_hold_stay_whole() -> None:
    large = (1 << 53) + 1
    made = table({"pos": [large, None], "id": [large, 1 << 63]}, (), "numpy")
    assert made["pos"].tolist() == [large, None]
    assert made["id"].tolist() == [large, 1 << 63]


def test_a_notebook_that_holds_everything_holds_no_writer_up() -> None:
    with bare_house() as made:
        furnish(made)
        lab = Lab(made)
        half_read = lab.bars_by_month(SYMBOL, to="numpy")
        held = [lab.fills(to="numpy"), lab.stream("ingest.quote", to="numpy"), next(half_read)]
        store = write(made, "market", [minute(NOON_NS)])
        held.append(lab.bars(SYMBOL, to="numpy"))
        held.append(lab.sql("market", "SELECT * FROM bars", to="numpy"))
        (shard,) = store.shards()
        with Reader(made.db_dir, "market") as careless:
            begun = careless.rows(f"SELECT * FROM {shard.path.stem}.bar")
            assert next(begun)
            assert not shard.checkpoint(truncate=True)  # What a reader can do that stops half-way.
        assert shard.file_bytes() > 0
        assert shard.checkpoint(truncate=True)
        assert shard.file_bytes() == 0
        assert opens(held[3])[-1] == NOON_NS
        assert opens(next(half_read))[-1] == NOON_NS
        store.close()


def test_what_a_notebook_reads_leaves_no_file_open(lab: Lab) -> None:
    half_read = lab.bars_by_month(SYMBOL, to="numpy")
    held = [
        next(half_read),
        lab.equity(to="numpy"),
        lab.notes(STRATEGY, to="numpy"),
        lab.runs("numpy"),
    ]
    files = [file.path for file in psutil.Process().open_files()]
    assert not [path for path in files if path.startswith(str(lab.house.world_dir))]
    assert len(held) == 4


def test_who_lacks_a_library_is_told_how_to_get_it() -> None:
    asked = "import sys; sys.modules['polars'] = None; from services.rrr.lab_table import form_of"
    done = subprocess.run(
        [sys.executable, "-c", f"{asked}; form_of('polars')"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "polars is not installed here. `make lab` installs" in done.stderr
