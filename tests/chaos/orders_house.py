"""A house that trades fast, an ear on the way of its orders, and a hand on its processes."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from typing import Any

import msgspec

from bus.errors import UnreachableError
from bus.lease import Lease
from bus.wire import Subscriber, ask
from schema.frame import Kind, unpack
from schema.head import Message
from schema.house import Heartbeat
from schema.messages import decode
from schema.streams import STREAMS
from services.venue.faults_words import Told
from services.venue.requests import Line, read, requests_path
from tests.system.checkout import Checkout

SCALE = 60
ANSWER_MS = 2_000
READY_S = 60
PATH = ("engine.intent", "risk.verdict", "gateway.order")
TRADERS = ("venue", "ingest", "predictor", "engine", "risk", "gateway", "writer_trading", "monitor")

DRILL = '''"""A round trip on a timer with a stop that rests: every step of an order comes by."""

from services.engine.strategy import Fill, State, Strategy, Target, View

SECOND_NS = 1_000_000_000
AGAIN_S = 60
HOLD_S = 45


class Drill(Strategy):
    """Buys a little, rests a stop under it, and sells it soon after."""

    every_s = 5

    class State(State):
        last_ns: int = 0

    def on_timer(self, now: int, view: View) -> Target | None:
        if view.position or (self.state.last_ns and now < self.state.last_ns + AGAIN_S * SECOND_NS):
            return None
        self.state.last_ns = now
        return Target.notional(
            100.0,
            limit=view.price * 1.002,
            stop=view.price * 0.9,
            take=view.price * 1.1,
            expires=now + HOLD_S * SECOND_NS,
            why="drill",
        )
'''
SETTINGS = """
[strategy.drill]
file = "strategies/drill.py"
budget = 1000
symbols = ["BTC/USDT"]
mode = "trade"
"""


class TradingHouse(Checkout):
    """Leave it by `close`, which ends every process that it started."""

    def __init__(self, seed: int = 7, **environ: str) -> None:
        given = {
            "RRR_CLOCK__SCALE": str(SCALE),
            "RRR_VENUE__SEED": str(seed),
            "RRR_VENUE__SYMBOL": '["BTC/USDT"]',
            "RRR_VENUE__HISTORY_DAYS": "2",
            "RRR_INGEST__HISTORY_DAYS": "1",
            "RRR_PREDICTOR__TRAIN": "false",
            "RRR_STRATEGY__PULSE__MODE": "off",
            "RRR_STRATEGY__THRESHOLD__MODE": "off",
            "RRR_WARDEN__EXITS": "100000",
            "RRR_GATEWAY__RECONCILE_MS": "2000",
            "RRR_GATEWAY__POLL_MS": "500",
            "RRR_GATEWAY__ANSWER_MS": "2000",
            "RRR_GATEWAY__RECV_WINDOW_MS": "1000",
        }
        super().__init__(**{**given, **environ})
        (self.root / "strategies" / "drill.py").write_text(DRILL)
        with (self.root / "settings.local.toml").open("a") as file:
            file.write(SETTINGS)
        self.ear: Subscriber | None = None

    def begin(self) -> None:
        """Start everything, and listen to the way of the orders."""
        self.up()
        self.ear = Subscriber(self.run_dir, PATH)
        self.until("it trades", lambda: self.heard(200))

    def close(self) -> None:
        if self.ear is not None:
            self.ear.close()
        super().close()

    def heard(self, timeout_ms: int) -> list[Message]:
        """Return what was said on the way of the orders since the last time."""
        assert self.ear is not None
        found: list[Message] = []
        for frame in map(unpack, self.ear.receive(timeout_ms)):
            if frame.kind == Kind.DATA:
                found += decode(STREAMS[frame.stream].number, frame.body)
        return found

    def forget(self) -> None:
        """Let go of what was said up to now."""
        while self.heard(0):
            pass

    def told(self, service: str, verb: str, *args: str) -> Any:
        """Return the answer of a service to a command; None when it does not answer."""
        try:
            return ask(self.run_dir, service, verb, args, ANSWER_MS)
        except UnreachableError:
            return None

    def fault(self, *args: str) -> Told | None:
        """Say something to the venue about its faults; None while it is away."""
        done = self.told("venue", "fault", *args)
        if done is None:
            return None
        assert done.ok, done.text
        return msgspec.json.decode(done.body, type=Told)

    def beat(self, service: str) -> Heartbeat | None:
        """Return a heartbeat of this moment."""
        done = self.told(service, "status")
        return None if done is None else msgspec.msgpack.decode(done.body, type=Heartbeat)

    def pid(self, service: str) -> int:
        """Return the process of a service; 0 while it is away."""
        return int(Lease(self.run_dir / f"{service}.lease").alive() or "0")

    def send(self, service: str, number: signal.Signals) -> int:
        """Send a signal to the process of a service, and return which that was."""
        pid = self.pid(service)
        if pid:
            os.kill(pid, number)
        return pid

    def ready(self, names: tuple[str, ...] = TRADERS) -> bool:
        """Say whether all of them are READY."""
        beats = [self.beat(name) for name in names]
        return all(beat is not None and beat.state == "READY" for beat in beats)

    def counter(self, service: str, name: str) -> int:
        """Return one of the figures of a service; -1 while it is away."""
        beat = self.beat(service)
        return -1 if beat is None else dict(beat.counters).get(name, 0)

    def requests(self) -> list[Line]:
        """Return what was asked of the venue."""
        world = self.journal_dir().parent
        return read(requests_path(world / "venue"))

    def audit(self) -> dict[str, Any]:
        """Return `rrr audit --json`, asked again while somebody does not stand still."""

        def audited() -> dict[str, Any] | None:
            done = self.rrr("audit", "--json")
            found: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
            assert found, done.stderr
            return found if done.returncode in {0, 5} else None

        found: dict[str, Any] = self.until("an audit", audited, patience_s=READY_S)
        return found

    def settled(self, holds: Callable[[], Any], patience_s: int = READY_S) -> bool:
        """Wait until something holds, and return whether it came to that."""
        deadline_ns = self.clock.mono_ns() + patience_s * 1_000_000_000
        while not holds():
            if self.clock.mono_ns() > deadline_ns:
                return False
            self.clock.pause_ms(50)
        return True


def keep_story(house: Checkout, name: str) -> str:
    """Keep the logs and the journals of a house whose proof failed, and return where."""
    target = f"/tmp/rrr.chaos.{name}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(house.root / "logs", f"{target}/logs")
    shutil.copytree(house.root / "data", f"{target}/data", ignore=shutil.ignore_patterns("run"))
    return target
