"""The versions of an instrument in the trading shard, as a backtest reads them."""

import json
from pathlib import Path

import msgspec
import pytest

from bus.errors import ShardError
from schema.market import Bar, Instrument
from schema.units import MINUTE_NS
from services.backtest.filters import read_versions
from services.rrr.parity import built
from tests.bus.month_rig import Place, bars
from tests.services.backtest.parity_house import DATE, NAME, Trading, keep, trade
from tests.services.backtest.person import Person
from tests.services.backtest.test_backtest_filters import START_NS, SYMBOL, version
from tests.services.bare import bare_house
from tests.services.predictor.shards import fill
from tests.services.writer.trading_desk import Desk


def test_versions_are_read_oldest_first_from_the_first_place_that_knows(tmp_path: Path) -> None:
    for name, tick in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        desk = Desk(tmp_path / name)
        desk.say(version(9, tick=tick), version(5, tick=tick + 5))
        if name == "b":
            desk.say(version(3, symbol="ETH/USDT"))
        desk.store.close()
    places = tmp_path / "none", tmp_path / "a", tmp_path / "b"
    found = read_versions(places, (SYMBOL, "ETH/USDT", "SOL/USDT"))
    assert [(one.ts_event, one.tick) for one in found[SYMBOL]] == [(5, 6), (9, 1)]
    assert found[SYMBOL][1] == version(9)
    assert sorted(found) == [SYMBOL, "ETH/USDT"]


def damage(directory: Path, change: str, *bindings: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    desk = Desk(directory)
    desk.say(version(START_NS))
    (shard,) = desk.store.shards()
    with shard.transaction() as db:
        db.execute(change, bindings)
    desk.store.close()


SET = "UPDATE instrument_versions SET detail = json_set(detail, '$.{}', json('{}'))"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE instrument_versions SET detail = '[]'", "object"),
        ("UPDATE instrument_versions SET detail = '{}'", "no ts_event"),
        ("UPDATE instrument_versions SET tick = 9", "tick 9, as its column has it, found 1"),
        ("UPDATE instrument_versions SET valid_from_ns = 7", "ts_event 7"),
        (SET.format("min_notional", '"much"'), "found Expected `int`, got `str`"),
        (SET.format("min_notional", "-5"), "min_notional from zero on, found -5"),
        (SET.format("min_notional", str(2**62)), "does not fit"),
        (SET.format("band_exp", "99"), "band_exp up to 18, found 99"),
        (SET.format("min_notionel", "5"), "'min_notionel' that nobody here knows"),
    ],
)
def test_a_damaged_version_is_refused_with_its_place(
    tmp_path: Path, change: str, said: str
) -> None:
    damage(tmp_path, change)
    with pytest.raises(ShardError, match="The row is damaged") as caught:
        read_versions((tmp_path,), (SYMBOL,))
    assert f"{tmp_path / 'trading.db'}: the filters of BTC/USDT from " in str(caught.value)
    assert said in str(caught.value)


def test_a_shard_from_before_versions_were_kept_knows_none(tmp_path: Path) -> None:
    damage(tmp_path, "DROP TABLE instrument_versions")
    assert read_versions((tmp_path,), (SYMBOL,)) == {}


@pytest.fixture
def person(tmp_path: Path) -> Person:
    person = Person(tmp_path)
    fill(person.house.db_dir, [minute(number) for number in range(60)], person.house.world)
    return person


def minute(number: int) -> Bar:
    open_ns = START_NS + number * MINUTE_NS
    px = 6_000_000 + number
    return Bar(
        ts_event=open_ns + MINUTE_NS, symbol=SYMBOL, timeframe="1m", open_ns=open_ns,
        open=px, high=px + 50, low=px - 50, close=px + 1, volume=500_000,
        quote_volume=3 * 10**12, trades=9, px_exp=2, qty_exp=5, quote_exp=7,
    )  # fmt: skip


STORED = ("pulse", "--json", "--symbol", SYMBOL)


def test_the_stored_history_has_the_filters_of_its_world_and_a_file_has_none(
    person: Person,
) -> None:
    stored, file = person.asks(*STORED).stdout, person.runs("--json").stdout
    desk = Desk(person.house.db_dir)
    assert person.asks(*STORED).stdout == stored  # A shard that knows nothing of them.
    desk.say(version(START_NS + 30 * MINUTE_NS, min_notional=10_000 * 10**7))
    desk.say(version(START_NS - MINUTE_NS))
    desk.store.close()
    known = json.loads(person.asks(*STORED).stdout)
    assert known["run_id"] != json.loads(stored)["run_id"]
    assert 5 < known["orders"] < json.loads(stored)["orders"] - 5
    assert person.runs("--json").stdout == file


def test_imported_bars_have_the_filters_of_the_house_that_trades_there(tmp_path: Path) -> None:
    paper, words = Person(tmp_path, "paper"), (*STORED, "--history", "binance", "--since", "2h")
    place = Place(paper.house.home / "data" / "historical" / "binance")
    place.archive(bars(SYMBOL, "1m", "2025-12-01T00:00:00", 300))
    plain = json.loads(paper.asks(*words).stdout)
    paper.house.db_dir.mkdir(parents=True, exist_ok=True)
    desk = Desk(paper.house.db_dir)
    desk.say(version(START_NS, min_notional=10_000 * 10**7))
    desk.store.close()
    assert plain["orders"] > 5
    assert json.loads(paper.asks(*words).stdout)["orders"] == 0
    assert json.loads(Person(tmp_path, "local").asks(*words).stdout) == plain


def test_a_damaged_version_ends_a_run_with_one_sentence(person: Person) -> None:
    damage(person.house.db_dir, "UPDATE instrument_versions SET detail = '{}'")
    done = person.asks(*STORED)
    assert isinstance(done.exception, ShardError)
    assert (done.exception.exit_code, done.stdout) == (5, "")
    assert "the filters of BTC/USDT from 2025-06-15" in str(done.exception)


def coarser(trading: Trading) -> None:
    """Let the exchange ask for larger lots from now on."""
    (own,) = (one for one in trading.history.instruments(0) if one.symbol == SYMBOL)
    lots = {"lot": own.lot * 50, "min_qty": own.lot * 50}
    changed = msgspec.structs.replace(own, ts_event=trading.show.now_ns, **lots)
    trading.told.append(changed)
    trading.show.hear(changed)


def test_a_day_on_which_the_filters_changed_is_played_again_with_both() -> None:
    with bare_house() as house:
        told = trade(house, at={20: coarser})
        keep(house, told)
        without = built(house, NAME, DATE, "")
        house.db_dir.mkdir(parents=True, exist_ok=True)
        desk = Desk(house.db_dir)
        desk.say(*(one for one in told if isinstance(one, Instrument) and one.symbol == SYMBOL))
        desk.store.close()
        found = built(house, NAME, DATE, "")
    assert len(without.differences) > 5
    assert (found.alike, found.differences) == (True, [])
    assert found.decisions["same"] > 20
