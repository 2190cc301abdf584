"""Drives that take no more, in a child process: the shard goes on, earlier backups stay."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from schema.units import DAY_NS
from services.writer.backup_manifest import BackupError
from services.writer.jobs import MODULE, ROOT, Finished, Job
from tests.services.writer.backup_desk import Shelter

BLOCK_BYTES = 512
ROWS = "INSERT INTO dead_letter VALUES (NULL, 1, 't', 'r', randomblob(200000))"


def child(shelter: Shelter, largest_bytes: int) -> Finished:
    """Back up in a process that may write no file larger than this."""
    job = Job("backup", {"order": msgspec.json.encode(shelter.order).decode()})
    told = msgspec.json.encode(job).decode()
    limited = f'ulimit -f {largest_bytes // BLOCK_BYTES}; exec "$@"'
    with subprocess.Popen(
        ["/bin/sh", "-c", limited, "sh", sys.executable, "-m", MODULE, told],
        cwd=ROOT,
        stdin=subprocess.PIPE,  # It stays open: else its writer would be gone.
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said, errors = process.stdout.read(), process.stderr.read()
    assert b"Traceback" not in errors
    return msgspec.json.decode(said.lstrip(b"."), type=Finished)


@pytest.mark.parametrize("largest_bytes", [0, 8192, 65_536, 131_072, 262_144, 400_000])
def test_a_drive_that_takes_no_more_costs_only_the_new_backup(
    shelter: Shelter, largest_bytes: int
) -> None:
    before = shelter.made()
    with shelter.desk.store.shards()[0].transaction() as db:  # type: ignore[index] # it is a list
        db.execute(ROWS)
    done = child(shelter, largest_bytes)
    if done.ok:
        assert largest_bytes >= shelter.file.stat().st_size
    else:
        assert "backups" in done.text or "drive" in done.text
        assert shelter.place.names("daily") == [before.name]
    shelter.say(5)  # Nobody who writes has noticed.
    shelter.clock.advance(DAY_NS)
    shelter.made()
    assert shelter.left() == []
    assert before.name in shelter.place.names("daily") or done.ok


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a drive of its own")
def test_a_full_drive_is_named_and_trading_does_not_notice(tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(drive)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this system mounts no tmpfs here")
    shelter = Shelter(tmp_path, target=str(drive))
    try:
        shelter.say()
        (error,) = shelter.back_up().failures
        assert "MiB are needed" in str(error)
        assert str(drive) in str(error)
        assert list(shelter.manifests()) == []
        shelter.say()
    finally:
        shelter.desk.store.close()
        subprocess.run(["umount", str(drive)], check=True)


def test_a_target_that_only_can_be_read_is_named(tmp_path: Path) -> None:
    target = Path("/sys/kernel") if Path("/sys/kernel").is_dir() else Path("/dev")
    shelter = Shelter(tmp_path, target=str(target))
    shelter.say()
    with pytest.raises(BackupError, match=str(target)):
        shelter.back_up()
    shelter.desk.store.close()
