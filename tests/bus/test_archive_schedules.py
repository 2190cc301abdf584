"""Under random kills and power cuts it makes no difference that segments are put away meanwhile."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.archive import archive_path, bases, packed_bases
from bus.audit import audit
from bus.keeper import clear_drafts, put_away, remove
from schema.streams import Stream
from schema.units import DAY_NS
from tests.bus.mutants import Rules
from tests.bus.rigs import A, B, DiskRig
from tests.bus.schedules import Action, World

STEPS = 80
DRAFT_STEPS = 7


class ArchivingRig(DiskRig):
    """Real files, the old ones of which are put away."""

    def __init__(self, root: Path, stream: Stream) -> None:
        super().__init__(root / "journal", stream)
        self.killed: list[Iterator[str]] = []

    def put_away(self, rng: random.Random) -> None:
        """Put one of the segments away that may be, or be killed on the way."""
        plain = [base for base in bases(self.folder)[:-1] if self._is_plain(base)]
        if not plain:
            return
        doing = put_away(self.folder, rng.choice(plain), self.stream)
        for _ in range(rng.randint(0, DRAFT_STEPS + 1)):
            next(doing, None)
        self.killed.append(doing)  # What it left lies there until a start.

    def _is_plain(self, base: int) -> bool:
        return (self.folder / f"{base:020d}.seg").exists()

    def cut_power(self, rng: random.Random) -> None:
        super().cut_power(rng)
        for draft in archive_path(self.folder, 0).parent.glob("*.tmp"):
            draft.write_bytes(rng.randbytes(rng.choice((0, 40, 700))))
        clear_drafts(self.folder)

    def forget_all(self) -> None:
        for base in bases(self.folder):
            remove(self.folder, base)


class ArchivingWorld(World):
    """One schedule in which days pass."""

    rig: ArchivingRig

    def actions(self) -> list[Action]:
        return [
            *super().actions(),
            (8, True, lambda: self.rig.put_away(self.rng)),
            (6, True, lambda: self.rig.clock.advance(DAY_NS)),
        ]


def run(root: Path, first: int, last: int) -> int:
    """Run some schedules and return how many segments lay in the archive at the end of them."""
    archived = 0
    for seed in range(first, last):
        rig = ArchivingRig(root / str(seed), (A, B)[seed % 2])
        ArchivingWorld(rig, Rules(), seed).run(STEPS)
        assert audit(rig.folder, rig.stream).problems == []
        archived += len(packed_bases(rig.folder))
    return archived


def test_no_schedule_loses_anything_while_segments_are_put_away(tmp_path: Path) -> None:
    assert run(tmp_path, 0, 12) > 12


@pytest.mark.slow
def test_no_schedule_of_many_loses_anything_while_segments_are_put_away(tmp_path: Path) -> None:
    assert run(tmp_path, 100, 250) > 150
