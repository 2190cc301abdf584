"""The folder that backups go to: one that a person made, and that no other house fills."""

from pathlib import Path

from services.writer.backup_manifest import BackupError, failing
from services.writer.backup_places import ARCHIVE, FOLDERS, SCRATCH, Order, Place

OWNER = "of"
"""In a target that several worlds share: the folder of the world that it is for."""


def require_target(order: Order) -> Place:
    """Return where to, its folders made; BackupError where there is no place for them.

    A target is never made: what is missing there is a drive that is not plugged in.
    """
    place, target = Place(Path(order.place)), Path(order.target or order.place)
    with failing(place.root):
        if order.target and not target.is_dir():
            raise BackupError(
                f"the target of backups {target} is not there: expected a directory",
                "Plug its drive in, or make the directory, or set `backup.target`",
            )
        for folder in (*FOLDERS, ARCHIVE, SCRATCH):
            (place.root / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        if order.target:
            _require_own(place.root / OWNER, Path(order.db_dir).parent)
    return place


def _require_own(mark: Path, world_dir: Path) -> None:
    """Refuse the backups of another house, whose world has the same name."""
    if not mark.exists():
        mark.write_text(f"{world_dir}\n")
    found = mark.read_text().strip()
    if found != str(world_dir):
        raise BackupError(
            f"{mark.parent} has the backups of {found}, these are of {world_dir}",
            f"Give one of the two houses another `backup.target`; if it was moved, remove {mark}",
        )
