"""A service that may not do a part of its work: it says so, and does the rest from its start on."""

from pathlib import Path

import pytest

from bus.service import Limited, Parts
from tests.bus.toy import Desk, Toy, launch, settle


class Barred(Toy):
    """A toy that may not do all of its work, or has not begun it."""

    why: str = Limited("it may not")

    def trouble(self, now_ns: int) -> str | None:
        return self.why if now_ns else None


@pytest.mark.parametrize(
    ("why", "state"),
    [(Limited("it may not"), "DEGRADED"), ("it knows nothing yet", "CATCHING_UP")],
)
def test_what_does_the_rest_of_its_work_is_degraded_from_its_start_on(
    tmp_path: Path, why: str, state: str
) -> None:
    desk, barred = Desk(tmp_path), Barred()
    barred.why = why
    runner = launch(Parts(barred), desk.journals, desk.hub, desk.clock, desk.path)
    settle(runner)
    runner.turn()
    assert (runner.pulse.state, runner.pulse.reason) == (state, why)
