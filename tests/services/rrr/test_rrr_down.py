"""What `rrr down` does in a house where nothing runs, and where nothing can be written."""

from bus.clock import SystemClock
from bus.errors import SettingsError, ShardError
from services.rrr.books import as_integrity
from services.rrr.stop import bring_down
from tests.services.bare import bare_house


def test_a_lease_that_cannot_be_cleared_and_that_nobody_holds_stops_nobody() -> None:
    with bare_house() as house:
        stays = [house.run / "engine.lease", house.run / "engine.ctl"]
        for path in stays:
            path.mkdir()  # No more to be written or removed than a file of a read-only disk.
        assert not bring_down(house, SystemClock(), lambda _text: None)
        assert all(path.exists() for path in stays)


def test_a_disk_that_takes_nothing_is_no_damage() -> None:
    error = SettingsError("it cannot be written", "mend it")
    error.__cause__ = PermissionError()
    assert as_integrity(error).exit_code == 1
    newer = ShardError("it was made by newer code", "go forward")
    newer.exit_code = 78
    assert as_integrity(newer).exit_code == 5
