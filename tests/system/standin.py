"""A venue by itself that plays the exchange for another house: one process, and no house around."""

import os
import signal
import subprocess
from pathlib import Path

from services.venue.requests import Line, read, requests_path
from tests.system.checkout import Checkout

WORLD = "local-synthetic-7"
GONE_S = 10


class StandIn:
    """The venue of a checkout of its own, whose market runs as fast as the real one."""

    def __init__(self, number: str, **environ: str) -> None:
        self.house = Checkout(
            RRR_HOUSE__NUMBER=number,
            RRR_CLOCK__SCALE="1",
            RRR_VENUE__HISTORY_DAYS="3",
            **environ,
        )
        port = int(self.house.venue.rpartition(":")[2]) + 10 * int(number)
        self.url = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self.house.root / "logs" / "system" / "venue.out"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [str(self.house.root / ".venv/bin/python"), "-m", "services.venue"],
                cwd=self.house.root,
                env=self.house.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        ready = self.house.run_dir / "venue.pub"
        self.house.until("the stand-in is there", ready.exists)

    def kill(self) -> None:
        """Kill it as the power would."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(GONE_S)
        self._process = None

    def requests(self) -> list[Line]:
        """Return all that it was ever asked."""
        return read(requests_path(self._folder()))

    def _folder(self) -> Path:
        return self.house.root / "data" / WORLD / "venue"

    def close(self) -> None:
        """End it, and remove its checkout."""
        if self._process is not None:
            self.kill()
        self.house.close()
