"""An operator at night: knows nothing but what `rrr status` names, and types it."""

import shlex
from collections.abc import Callable

from tests.system.checkout import Checkout

WHY = "the night is over"
TRIES_S = 120
Stop = dict[str, str]


class Operator:
    """Types the release of every stop until it trades again; `fate` looks at the venue's page."""

    def __init__(self, house: Checkout, fate: Callable[[str], str] = lambda _: "absent") -> None:
        self.house = house
        self.typed: list[tuple[str, ...]] = []
        self._fate = fate

    def bring_back(self) -> None:
        """Follow status until trading is YES and nothing stops it."""
        self.house.until("Trading: YES", self._follow, patience_s=TRIES_S)

    def _follow(self) -> bool:
        report = self.house.status()
        for stop in report["stops"]:
            command = self.command(stop)
            if command:
                self.type(command)
        return bool(report["trading"]) and not report["stops"]

    def command(self, stop: Stop) -> tuple[str, ...]:
        """Return what a stop's release says to type; nothing for what clears itself."""
        start = min((at for at in map(stop["release"].find, ("rrr ", "supervisorctl ")) if at >= 0),
                    default=-1)  # fmt: skip
        named = stop["release"][start:].partition(", or it")[0] if start >= 0 else ""
        if not named or "`" in named or named.startswith("rrr logs"):
            return ()
        words = tuple(shlex.split(named.replace('"why"', f'"{WHY}"').replace('"..."', f'"{WHY}"')))
        return tuple(self._fate(words[2]) if "|" in word else word for word in words)

    def type(self, words: tuple[str, ...]) -> None:
        """Type a command; one that comes too early is typed again at the next look."""
        ours = words[0] == "rrr"
        done = self.house.rrr(*words[1:], "--yes") if ours else self.house.run(*words)
        assert "Traceback" not in done.stderr, done.stderr
        if done.returncode == 0:
            self.typed.append(words)
