"""How backups grow old: seven days, four weeks, twelve months, and never without the newest."""

import datetime as dt
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.units import DAY_NS
from services.writer.backup_keeping import clear, place_pair, promote, rotate
from services.writer.backup_manifest import PACKED, Name, name_at, name_of
from services.writer.backup_places import FOLDERS, Place
from tests.services.market_desk import at
from tests.services.writer.backup_desk import Killed, dying_at

KEEP = (7, 4, 12)
FILE, SHARD = "trading", "trading"
START_NS = at("2026-01-05T03:00:00")
HOUR_NS = DAY_NS // 24


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return made(tmp_path)


def made(root: Path) -> Place:
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    place = Place(root)
    clear(place, SHARD)
    return place


def add(place: Place, wall_ns: int) -> Name:
    name = name_at(FILE, wall_ns)
    (place.scratch(SHARD) / f"{name.text}{PACKED}").write_bytes(b"packed")
    place_pair(place, SHARD, name, b"{}")
    return name


def grow(place: Place, wall_ns: int, keep: tuple[int, int, int] = KEEP) -> Name:
    name = add(place, wall_ns)
    promote(place, SHARD, FILE, keep)
    rotate(place, SHARD, FILE, keep)
    return name


def whole(place: Place) -> list[Name]:
    """Return what stands; every manifest has its file."""
    found = []
    for folder in FOLDERS:
        for name in place.names(folder):
            assert place.packed(folder, name).is_file()
            found.append(name)
    return found


def test_the_newest_backup_stays_even_where_no_days_are_kept(place: Place) -> None:
    for day in range(3):
        newest = grow(place, START_NS + day * DAY_NS, (0, 0, 0))
    assert whole(place) == [newest]


def test_a_week_that_was_let_go_does_not_come_again(place: Place) -> None:
    keep = (7, 1, 1)
    for day in range(9):
        grow(place, START_NS + day * DAY_NS, keep)
    steps: list[str] = []
    promote(place, SHARD, FILE, keep, steps.append)
    assert steps == []


@pytest.mark.slow
def test_after_a_year_of_days_there_are_seven_days_four_weeks_and_twelve_months(
    place: Place,
) -> None:
    for day in range(400):
        newest = grow(place, START_NS + day * DAY_NS)
        assert place.names("daily")[-1] == newest
    assert [len(place.names(folder)) for folder in FOLDERS] == [7, 4, 12]
    assert {name.day.isocalendar().weekday for name in place.names("weekly")} == {1}
    assert {name.day.day for name in place.names("monthly")} == {1}
    assert place.newest(FILE) == ("daily", newest)
    files = {path.name for folder in FOLDERS for path in (place.root / folder).glob(f"*{PACKED}")}
    assert files == {f"{name.text}{PACKED}" for name in whole(place)}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hours=st.lists(st.integers(0, 24 * 90), min_size=1, max_size=25, unique=True),
    keep=st.tuples(st.integers(1, 4), st.integers(0, 3), st.integers(0, 3)),
)
def test_whenever_backups_come_the_newest_stays_and_no_folder_has_more_than_is_kept(
    hours: list[int], keep: tuple[int, int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = made(tmp_path_factory.mktemp("place"))
    for hour in sorted(hours):
        newest = grow(place, START_NS + hour * HOUR_NS, keep)
        assert place.newest(FILE) == ("daily", newest)
        for folder, count in zip(FOLDERS, keep, strict=True):
            assert len(place.names(folder)) <= max(count, int(folder == "daily"))
    assert len({name.day for name in place.names("daily")}) == len(place.names("daily"))
    shutil.rmtree(place.root)


@pytest.mark.parametrize("step", range(14))
def test_a_death_at_any_step_of_growing_old_is_healed_by_the_next_run(
    place: Place, step: int
) -> None:
    for day in (0, 6):
        grow(place, START_NS + day * DAY_NS, (1, 1, 1))
    newest = add(place, START_NS + 40 * DAY_NS)
    try:
        promote(place, SHARD, FILE, (1, 1, 1), dying_at(step))
        rotate(place, SHARD, FILE, (1, 1, 1), dying_at(step))
    except Killed:
        pass
    assert newest in whole(place)
    clear(place, SHARD)
    promote(place, SHARD, FILE, (1, 1, 1))
    rotate(place, SHARD, FILE, (1, 1, 1))
    assert whole(place) == [newest, newest, newest]
    assert list(place.scratch(SHARD).iterdir()) == []
    assert len(list(place.root.glob(f"*/*{PACKED}"))) == 3


def test_what_a_person_put_there_is_left_alone(place: Place) -> None:
    foreign = place.root / "daily" / f"trading@20200101T000000Z{PACKED}"
    foreign.write_bytes(b"mine")
    (place.root / "daily" / "notes.json").write_text("{}")
    grow(place, START_NS)
    clear(place, SHARD)
    assert foreign.read_bytes() == b"mine"
    assert len(place.names("daily")) == 1


@pytest.mark.parametrize(
    "text",
    ["trading@2026", "trading@20261340T030000Z", "x@20260105T030000Z", "trading@20260105T030000Z.",
     "TRADING@20260105T030000Z", "market_data_26_1@20260105T030000Z",
     "../trading@20260105T030000Z"],
)  # fmt: skip
def test_only_our_own_names_are_names(text: str) -> None:
    assert name_of(text) is None


def test_a_name_says_its_moment() -> None:
    name = name_at("market_data_2026_01", START_NS + 999)
    assert name_of(name.text) == name
    assert name.wall_ns == START_NS
    assert name.day == dt.date(2026, 1, 5)
