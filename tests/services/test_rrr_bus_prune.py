"""`rrr bus journal prune`: the owner's own plan, for an owner that does not run."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bus.archive import archive_path, bases, packed_bases
from bus.audit import audit
from bus.clock import SystemClock
from bus.cursors import write_cursors
from bus.errors import HouseError, SettingsError
from bus.house import House
from bus.lease import Lease
from schema.streams import STREAMS
from schema.units import DAY_NS
from services.rrr.bus import bus
from services.rrr.bus_journal_prune import prune
from tests.bus.rigs import DiskRig
from tests.bus.test_archive import days
from tests.services.bare import bare_house

TRADES = STREAMS["ingest.trade"]


@pytest.fixture
def house() -> Iterator[House]:
    before = Path.cwd()
    with bare_house() as made:
        os.chdir(made.root)
        yield made
        os.chdir(before)


@pytest.fixture
def rig(house: House) -> DiskRig:
    """A stream of trades of the last six days."""
    rig = DiskRig(house.journal_dir, TRADES)
    rig.clock.now_ns = SystemClock().wall_ns() - 6 * DAY_NS
    return days(rig, 6)


def run(*args: str) -> Result:
    return CliRunner().invoke(prune, args)


def rows(*args: str) -> list[dict[str, object]]:
    result = run(*args, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_dry_run_tells_the_plan_and_changes_nothing(rig: DiskRig) -> None:
    every = bases(rig.folder)
    (row,) = rows("ingest.trade", "--dry-run")
    assert row["archive"] == every[:-1][: len(row["archive"])]  # type: ignore[arg-type]
    assert row["held_by"] == ["writer_market"]
    assert row["bytes"] == row["bytes_before"]
    assert packed_bases(rig.folder) == []


def test_what_is_old_is_archived_and_what_all_have_read_is_deleted(
    house: House, rig: DiskRig
) -> None:
    every = bases(rig.folder)
    write_cursors(house.journal_dir / "writer_market", [(TRADES.number, every[2])])
    result = run("ingest.*")
    assert result.exit_code == 0
    assert "ingest.trade: 6 segments" in result.output
    assert "2 to delete" in result.output
    assert bases(rig.folder) == every[2:]
    assert archive_path(rig.folder, every[2]).exists()
    assert audit(rig.folder, TRADES).problems == []
    assert "0 to archive, 0 to delete" in run("ingest.trade").output


def test_an_owner_that_runs_prunes_by_itself(house: House, rig: DiskRig) -> None:
    lease = Lease(house.run / "ingest.lease")
    assert lease.take()
    result = run("ingest.trade")
    assert isinstance(result.exception, HouseError)
    assert result.exception.exit_code == 1
    assert f"ingest runs (process {os.getpid()})" in result.output
    assert packed_bases(rig.folder) == []
    assert run("ingest.trade", "--dry-run").exit_code == 0
    assert run().exit_code == 0
    lease.release()


def test_with_broken_settings_nothing_is_deleted_by_limits_that_nobody_set(
    house: House, rig: DiskRig
) -> None:
    every = bases(rig.folder)
    (house.root / "settings.local.toml").write_text("nonsense = 1\n")
    result = CliRunner().invoke(bus, ["journal", "prune", "ingest.trade"])
    assert isinstance(result.exception, SettingsError)
    assert result.exception.exit_code == 1
    assert bases(rig.folder) == every
    assert packed_bases(rig.folder) == []


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("name", ["ingest.trades", "warden.process", ""])
def test_no_journal_of_that_name_is_a_usage_error(name: str) -> None:
    result = run(name)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_damage_is_told_and_leaves_everything(rig: DiskRig) -> None:
    path = rig.folder / f"{bases(rig.folder)[1]:020d}.seg"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    result = run("ingest.trade")
    assert str(path) in str(result.exception)
    assert path.read_bytes() == data
