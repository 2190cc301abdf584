"""Months and archives of the market, backed up and brought back as one."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bus.clock import SystemClock
from schema.units import SECOND_NS
from services.writer.archiving import archive_month
from services.writer.backup import back_up
from services.writer.backup_bundle import write_bundle
from services.writer.backup_manifest import DamagedError
from services.writer.backup_places import Order, Place
from services.writer.market_store import MarketStore
from services.writer.restore import Wanted, restore
from tests.services.market_desk import BAR, END_OF_JANUARY, MINUTE_NS, bar, kept, rows, store
from tests.services.writer.backup_desk import quiet

BARS = 20
COUNT = "SELECT count(*) FROM bars"
JANUARY = 202601


class Year:
    """A world whose January is archived, and gone from its live files."""

    def __init__(self, top: Path) -> None:
        self.world_dir = top / "w"
        self.db_dir = self.world_dir / "db"
        self.db_dir.mkdir(parents=True)
        self.store: MarketStore = store(self.db_dir)
        times = (END_OF_JANUARY - 10 * MINUTE_NS + n * MINUTE_NS for n in range(BARS))
        self.store.commit(kept(*(bar(ns) for ns in times)), {BAR: 5})
        self.place = Place(self.world_dir / "backups")
        self.order = Order(
            shard="market",
            world="w",
            db_dir=str(self.db_dir),
            place=str(self.place.root),
            target="",
        )

    def back_up(self) -> list[str]:
        outcome = back_up(self.order, SystemClock(), quiet)
        assert [str(error) for error in outcome.failures] == []
        made = [manifest.file for manifest in outcome.made]
        return made + [path.name for path in outcome.archives]

    def archive(self) -> None:
        archive_month(self.world_dir, JANUARY, SystemClock())
        self.store.chores()["retire"](["2026-01"])
        assert not (self.db_dir / "market_data_2026_01.db").exists()

    def restored(self, to: Path, source: Path | None = None, **changes: object) -> list[str]:
        wanted = Wanted(source=source or self.place.root, to=to, world="w")
        done = restore(msgspec.structs.replace(wanted, **changes), quiet)
        assert rows(to / "db", COUNT) == [(BARS,)]
        return [one.file for one in done.shards] + done.archives


@pytest.fixture
def year(tmp_path: Path) -> Iterator[Year]:
    made = Year(tmp_path)
    yield made
    made.store.close()


def test_a_month_comes_back_from_its_archive_once_there_is_one(year: Year, tmp_path: Path) -> None:
    assert year.back_up() == ["market_data_2026_01", "market_data_2026_02"]
    assert year.restored(tmp_path / "a") == ["market_data_2026_01", "market_data_2026_02"]
    before_ns = SystemClock().wall_ns()
    SystemClock().pause_ms(1100)  # Names have whole seconds.
    year.archive()
    assert year.back_up() == ["market_data_2026_02", "market_data_2026_01.arc.db"]
    whole = ["market_data_2026_02", "market_data_2026_01.arc.db"]
    assert year.restored(tmp_path / "b") == whole
    assert (tmp_path / "b" / "archive" / "market" / whole[1]).stat().st_mode & 0o777 == 0o444
    at_ns = before_ns + SECOND_NS // 2
    older = ["market_data_2026_01", "market_data_2026_02"]
    assert year.restored(tmp_path / "c", at_ns=at_ns) == older


@pytest.mark.parametrize("suffix", [".tar", ".tar.zst", ".zip"])
def test_a_bundle_has_the_archives_too(year: Year, tmp_path: Path, suffix: str) -> None:
    year.archive()
    year.back_up()
    bundle = tmp_path / f"b{suffix}"
    write_bundle(year.place, ["market"], "w", bundle, quiet)
    whole = ["market_data_2026_02", "market_data_2026_01.arc.db"]
    assert year.restored(tmp_path / "to", bundle) == whole


def test_a_damaged_archive_is_not_put_back(year: Year, tmp_path: Path) -> None:
    year.archive()
    year.back_up()
    copy = year.place.archive() / "market_data_2026_01.arc.db"
    copy.chmod(0o600)
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    with pytest.raises(DamagedError, match="market_data_2026_01"):
        year.restored(tmp_path / "to")
    assert not (tmp_path / "to").exists()
