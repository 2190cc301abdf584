"""What comes back: the newest proven backup of each file, whole or not at all."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bus.clock import SystemClock
from bus.errors import BusyError, HouseError
from bus.lease import Lease
from bus.migrations import KINDS
from bus.shard import open_writer
from schema.units import DAY_NS
from services.writer.backup import back_up
from services.writer.backup_bundle import write_bundle
from services.writer.backup_manifest import BackupError, DamagedError, encoded, read_manifest
from services.writer.backup_places import Order, Place
from services.writer.restore import Wanted, missing_of, restore
from tests.services.test_writer_kill import ROOT, check
from tests.services.writer.analytics_desk import Desk
from tests.services.writer.backup_desk import WORLD, Killed, Shelter, contents_of, quiet

DEADLINE_NS = 30_000_000_000


def test_the_newest_backup_comes_back_with_all_that_it_held(
    shelter: Shelter, tmp_path: Path
) -> None:
    shelter.made()
    shelter.say(5)
    shelter.clock.advance(DAY_NS)
    newest = shelter.made()
    shelter.say(5)
    done = shelter.restored(tmp_path / "to")
    assert [manifest.name for manifest in done.shards] == [newest.name]
    assert contents_of(tmp_path / "to" / "db" / "analytics.db") == newest.contents
    assert done.positions == {"analytics": newest.positions}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_as_of_a_time_it_is_the_last_one_before(shelter: Shelter, tmp_path: Path) -> None:
    first = shelter.made()
    shelter.say(5)
    shelter.clock.advance(DAY_NS)
    second = shelter.made()
    at_ns = second.wall_ns - 1
    done = shelter.restored(tmp_path / "to", at_ns=at_ns)
    assert [manifest.name for manifest in done.shards] == [first.name]
    with pytest.raises(BackupError, match="or before"):
        shelter.restored(tmp_path / "earlier", at_ns=first.name.wall_ns - 1)
    assert not (tmp_path / "earlier").exists()


@pytest.mark.parametrize("shard", ["analytics", "trading"])
def test_a_restored_shard_goes_on_as_if_nothing_had_happened(tmp_path: Path, shard: str) -> None:
    shelter = Shelter(tmp_path, shard)
    shelter.say(30)
    shelter.made()
    shelter.restored(tmp_path / "to")
    shelter.say(30)
    other = Shelter(tmp_path / "other", shard)
    other.desk.store.close()
    other.file.unlink()
    (tmp_path / "to" / "db" / f"{shard}.db").rename(other.file)
    other.desk = Desk(other.db_dir, shard)
    other.orders = 30  # Its own positions say so.
    other.say(30)
    assert contents_of(other.file) == contents_of(shelter.file)
    assert other.desk.store.cursors() == shelter.desk.store.cursors()
    other.desk.store.close()
    shelter.desk.store.close()


@pytest.mark.slow
def test_a_backup_while_a_writer_writes_is_one_moment_and_its_restore_goes_on(
    tmp_path: Path,
) -> None:
    live, place = tmp_path / "w" / "db", tmp_path / "w" / "backups"
    live.mkdir(parents=True)
    order = Order(shard="market", world="w", db_dir=str(live), place=str(place), target="")
    clock = SystemClock()
    with written(live) as child:
        for _ in range(3):
            outcome = back_up(order, clock, quiet)
            assert [str(error) for error in outcome.failures] == []
        child.kill()
    done = restore(Wanted(source=place, to=tmp_path / "to", world="w"), quiet)
    assert len(done.shards) > 1
    told = max(held.get("ingest.trade", 0) for held in done.positions.values())
    assert check(tmp_path / "to" / "db", told) == told
    with written(tmp_path / "to" / "db") as child:
        child.kill()
    assert check(tmp_path / "to" / "db", told) > told


def written(directory: Path) -> "subprocess.Popen[bytes]":
    """Let a writer commit market data in a directory; it has begun."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.services.writer_child", str(directory), "market"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    for _ in range(20):
        child.stdout.readline()
    return child


def test_nothing_is_ever_put_over_what_is_there(shelter: Shelter, tmp_path: Path) -> None:
    shelter.made()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("full", "file", "link", "none/of/these"):
        with pytest.raises(BackupError):
            shelter.restored(tmp_path / name)
    with pytest.raises(BackupError, match="live"):
        shelter.restored(shelter.db_dir / "new", forbidden=(shelter.db_dir,))
    assert (tmp_path / "full" / "mine").read_text() == "mine"
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    shelter.restored(tmp_path / "empty")
    assert (tmp_path / "empty" / "db" / "analytics.db").is_file()


def test_two_at_once_to_one_directory_are_refused(shelter: Shelter, tmp_path: Path) -> None:
    shelter.made()
    lease = Lease(tmp_path / ".to.restore.lease")
    assert lease.take()
    with pytest.raises(BusyError, match="another restore"):
        shelter.restored(tmp_path / "to")
    lease.release()


@pytest.mark.parametrize("calls", [0, 1, 2, 4, 8])
def test_a_death_at_any_moment_leaves_nothing_under_the_name(
    shelter: Shelter, tmp_path: Path, calls: int
) -> None:
    shelter.made()
    left = [calls]

    def tell(_share: float) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    wanted = Wanted(source=shelter.place.root, to=tmp_path / "to", world=WORLD)
    try:
        restore(wanted, tell)
    except Killed:
        assert not (tmp_path / "to").exists()
        (tmp_path / ".to.restoring" / "made").mkdir(parents=True)  # As a kill -9 leaves it.
        restore(wanted, quiet)
    assert sorted(path.name for path in (tmp_path / "to").rglob("*")) == ["analytics.db", "db"]
    assert not (tmp_path / ".to.restoring").exists()


def test_one_backup_by_name_needs_its_manifest_and_the_shard_asked_for(
    shelter: Shelter, tmp_path: Path
) -> None:
    manifest = shelter.made()
    packed = shelter.place.packed("weekly", manifest.name)
    done = shelter.restored(tmp_path / "to", packed)
    assert [one.name for one in done.shards] == [manifest.name]
    with pytest.raises(BackupError, match="no backup of trading"):
        shelter.restored(tmp_path / "to2", packed, shards=("trading",))
    with pytest.raises(BackupError, match="of after"):
        shelter.restored(tmp_path / "to2", packed, at_ns=1)
    shelter.place.manifest("weekly", manifest.name).unlink()
    with pytest.raises(BackupError, match=r"manifest .* is missing"):
        shelter.restored(tmp_path / "to2", packed)
    with pytest.raises(BackupError, match="is no backup"):
        shelter.restored(tmp_path / "to2", shelter.file)
    with pytest.raises(BackupError, match="is not there"):
        shelter.restored(tmp_path / "to2", tmp_path / "nowhere")


def test_a_backup_of_another_world_or_of_newer_code_is_refused_with_the_fix(
    shelter: Shelter, tmp_path: Path
) -> None:
    manifest = shelter.made()
    with pytest.raises(BackupError, match="is of world w, this house runs world paper-x") as told:
        shelter.restored(tmp_path / "to", world="paper-x")
    assert "set its mode" in told.value.hint
    path = shelter.place.manifest("daily", manifest.name)
    path.write_bytes(encoded(msgspec.structs.replace(manifest, user_version=99)))
    with pytest.raises(DamagedError, match="newer code") as told:
        shelter.restored(tmp_path / "to")
    assert "Update this checkout" in told.value.hint
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("where", ["start", "middle", "end", "cut", "longer"])
def test_a_damaged_backup_is_refused_before_it_is_unpacked(
    shelter: Shelter, tmp_path: Path, where: str
) -> None:
    manifest = shelter.made()
    packed = shelter.place.packed("daily", manifest.name)
    data = bytearray(packed.read_bytes())
    if where == "cut":
        data = data[:-1]
    elif where == "longer":
        data += b"x"
    else:
        data[{"start": 0, "middle": len(data) // 2, "end": -1}[where]] ^= 4
    packed.unlink()  # The others are the same file.
    packed.write_bytes(data)
    with pytest.raises(DamagedError, match="is damaged"):
        shelter.restored(tmp_path / "to")
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("lie", ["contents", "positions", "bytes", "unpacked_sha256", "world"])
def test_a_manifest_that_says_other_than_its_file_is_found_out(
    shelter: Shelter, tmp_path: Path, lie: str
) -> None:
    manifest = shelter.made()
    other = {
        "contents": manifest.contents | {"ml_models": manifest.contents["ml_predictions"]},
        "positions": manifest.positions | {"gateway.order": 1},
        "bytes": manifest.bytes - 1,
        "unpacked_sha256": "0" * 64,
        "world": "paper-x",
    }
    path = shelter.place.manifest("daily", manifest.name)
    path.write_bytes(encoded(msgspec.structs.replace(manifest, **{lie: other[lie]})))
    world = "paper-x" if lie == "world" else WORLD
    with pytest.raises(DamagedError):
        shelter.restored(tmp_path / "to", world=world)
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("suffix", [".tar", ".tar.zst", ".zip"])
def test_a_bundle_brings_everything_elsewhere(
    shelter: Shelter, tmp_path: Path, suffix: str
) -> None:
    manifest = shelter.made()
    bundle = tmp_path / f"all{suffix}"
    size = write_bundle(shelter.place, ["analytics"], WORLD, bundle, quiet)
    assert size > manifest.packed_bytes
    done = shelter.restored(tmp_path / "to", bundle)
    assert [one.name for one in done.shards] == [manifest.name]
    assert contents_of(tmp_path / "to" / "db" / "analytics.db") == manifest.contents
    with pytest.raises(BackupError, match="is there already"):
        write_bundle(shelter.place, ["analytics"], WORLD, bundle, quiet)


def test_a_plain_folder_and_a_target_of_several_worlds_are_places_too(
    shelter: Shelter, tmp_path: Path
) -> None:
    manifest = shelter.made()
    plain = tmp_path / "plain"
    plain.mkdir()
    for path in (shelter.place.packed("daily", manifest.name),
                 shelter.place.manifest("daily", manifest.name)):  # fmt: skip
        (plain / path.name).write_bytes(path.read_bytes())
    assert len(shelter.restored(tmp_path / "a", plain).shards) == 1
    (tmp_path / "drive").mkdir()
    shelter.place.root.rename(tmp_path / "drive" / WORLD)
    assert len(shelter.restored(tmp_path / "b", tmp_path / "drive").shards) == 1
    with pytest.raises(HouseError, match="no proven backup"):
        shelter.restored(tmp_path / "c", tmp_path)


def test_what_the_journals_no_longer_hold_is_named(shelter: Shelter, tmp_path: Path) -> None:
    shelter.made()
    done = shelter.restored(tmp_path / "to", journals=tmp_path / "journal")
    assert len(done.missing) == 5
    assert all("there is no journal" in line for line in done.missing)
    silent = {"backtest": {"backtest.result": 0}, "trading": {"gateway.order": 3}}
    (told,) = missing_of(silent, tmp_path / "journal")  # Of a stream that never began, nothing is.
    assert told.startswith("gateway.order")


def test_a_manifest_is_read_only_where_it_is_one(shelter: Shelter) -> None:
    manifest = shelter.made()
    path = shelter.place.manifest("daily", manifest.name)
    assert read_manifest(path) == manifest
    for data in (b"", b"{}", b"[" * 100_000, path.read_bytes()[:-20], b"\xff"):
        path.write_bytes(data)
        with pytest.raises(DamagedError, match="no manifest of a backup"):
            read_manifest(path)


def test_a_restored_file_is_opened_by_its_writer(shelter: Shelter, tmp_path: Path) -> None:
    shelter.made()
    shelter.restored(tmp_path / "to")
    shard = open_writer(KINDS["analytics"], tmp_path / "to" / "db" / "analytics.db", WORLD)
    assert shard.db.pragma("journal_mode") == "wal"
    shard.close()
    assert Place(shelter.place.root).files() == ["analytics"]
