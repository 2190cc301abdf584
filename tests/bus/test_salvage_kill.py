"""A repair killed before any call of the system: nothing is lost, and the next one finishes it."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from bus.audit import audit
from bus.holes import NAME, repairs
from bus.salvage import DAMAGED, UNTOUCHED, salvage
from bus.segments import bases, segment_path
from tests.bus.rigs import A
from tests.bus.spoiled import all_of, records, spoil, written

KILLED = 9

REPAIR = f"""
import os, sys
from pathlib import Path
from bus.salvage import salvage
from tests.bus.rigs import A, DiskRig
rig, left = DiskRig(Path(sys.argv[1]), A), int(sys.argv[2])

def watch(event, args):
    global left
    if event in {{"open", "os.rename", "os.remove", "os.truncate", "os.listdir"}}:
        if left == 0:
            os._exit({KILLED})
        left -= 1

sys.addaudithook(watch)
salvage(rig.folder, A, rig.clock)
"""


def killed_at(root: Path, step: int) -> bool:
    """Repair in a process that dies before its n-th call; False when it comes to its end."""
    command = [sys.executable, "-c", REPAIR, str(root), str(step)]
    code = subprocess.run(command, check=False).returncode
    assert code in {0, KILLED}
    return code == KILLED


@pytest.mark.slow
def test_a_repair_killed_at_any_step_is_finished_by_the_next(tmp_path: Path) -> None:
    rig = written(tmp_path, A)
    path = segment_path(rig.folder, bases(rig.folder)[1])
    hit = records(path)[2]
    spoil(path, hit[0], hit[1], random.Random(1))
    spoiled, steps = path.read_bytes(), 0
    kept: dict[int, int] = {}
    while killed_at(tmp_path, steps):
        if path.read_bytes() == spoiled:
            assert audit(rig.folder, A).problems
        salvage(rig.folder, A, rig.clock)
        kept = kept or all_of(rig)
        assert all_of(rig) == kept
        (problem,) = audit(rig.folder, A).problems
        assert f"{hit[2]} to {hit[3]}" in problem
        assert [one.read_bytes() for one in rig.folder.glob(f"*.{UNTOUCHED}")] == [spoiled]
        for one in (*rig.folder.glob(f"*.{UNTOUCHED}"), *rig.folder.glob(f"*.{DAMAGED}")):
            one.unlink()
        (rig.folder / NAME).unlink()
        path.write_bytes(spoiled)
        steps += 1
    assert steps > 10
    assert len(repairs(rig.folder).salvaged) == 1
    assert all_of(rig) == kept
