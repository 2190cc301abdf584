"""Strategies that are in order, and what one that is not may do: sources as people write them."""

from dataclasses import dataclass

STEADY, EVEN = "steady", "even"
FAULTY, WORSE = "faulty", "worse"

SOUND = '''"""Holds a little with a stop far below, and remembers what it was asked about."""

from services.engine.strategy import Bar, State, Strategy, Target, View


class Sound(Strategy):
    class State(State):
        bars: int = 0
        open_ns: int = 0

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        self.state.bars += 1
        self.state.open_ns = bar.open_ns
        self.note(bars=self.state.bars)
        return Target.notional(200.0, stop=<stop>, why="sound")
'''

AT_FAULT = '''"""Does as the others do until it holds something, and from then on what it likes."""

import ctypes, decimal, gc, json, os, re, signal, sys, threading, time

import numpy as np

from services.engine.strategy import Bar, State, Strategy, Target, View

<top>


def fault(bar, view):
    <body>


class Faulty(Strategy):
    class State(State):
        bars: int = 0
        stop: float = 0.0

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        self.state.bars += 1
        self.state.stop = self.state.stop or round(view.price * 0.5, -3)
        found = fault(bar, view) if view.position else None
        return found or Target.notional(200.0, stop=self.state.stop, why="sound")
'''


@dataclass(frozen=True)
class Fault:
    """What one does once it holds something, and what the engine is to say of that."""

    body: str
    says: str = ""
    top: str = ""  # what its module does when it is loaded


NONE = Fault("return None")
NAPS = Fault("time.sleep(0.8)")
LONG = "it took too long: Overran: a call may"
STARVED = "it wanted too much memory: MemoryError"
REFUSED = "it raised: PermissionError: a strategy"
DIED = "the engine died in it"

SWALLOWS = """while True:
        try:
            while True:
                try:
                    while True: pass
                except BaseException: continue
        except BaseException: continue"""
FLOODS = """while True:
        print("all is well " * 100)"""
DISTURBS = """decimal.getcontext().prec = 2
    decimal.getcontext().traps[decimal.Inexact] = True
    np.seterr(all="raise")
    os.environ.clear()
    os.chdir("/")
    gc.disable()
    for number in (signal.SIGALRM, signal.SIGPROF, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)"""
WORKS_ON = """def work():
        while True: pass
    threading.Thread(target=work, daemon=True).start()"""

ROUNDS = (
    (
        Fault('raise ValueError("no such price")', "it raised: ValueError: no such price"),
        Fault("while True: pass", LONG),
    ),
    (
        Fault("time.sleep(3600)", LONG),
        Fault("time.sleep(3600)", LONG),
    ),
    (
        Fault('return Target.weight(float("nan"))', "it returned nonsense: size"),
        Fault(SWALLOWS, LONG),
    ),
    (
        Fault("return np.ones(1 << 28)", STARVED),
        Fault("return [bar]", "it returned no target: expected a Target or None"),
    ),
    (
        Fault("os._exit(3)", "it raised: SystemExit: os._exit(3)"),
        Fault("return fault(bar, view)", "it raised: RecursionError"),
    ),
    (
        Fault(DISTURBS, "it raised: RuntimeError: it changed signal handlers or gc"),
        Fault(FLOODS, LONG),
    ),
    (
        Fault("os.fork()", f"{REFUSED} starts a process"),
        Fault(WORKS_ON, f"{REFUSED} starts a thread"),
    ),
)
"""What the engine lives through: one each for two strategies, at the same bar."""

ENDLESS_IN_C = Fault("sum(range(10**13))", DIED)
SEGFAULT = Fault("ctypes.string_at(0)", DIED)

AT_LOADING = (
    Fault(NONE.body, "SystemExit: 0", top="sys.exit(0)"),
    Fault(NONE.body, "SystemExit: os._exit(0)", top="os._exit(0)"),
    Fault(NONE.body, "Overran: a call may use", top="while True: pass"),
)


def sound(stop: str) -> str:
    """Return the source of a strategy that is in order; `stop`: an expression."""
    return SOUND.replace("<stop>", stop)


def at_fault(fault: Fault = NONE) -> str:
    """Return the source of one that is not."""
    return AT_FAULT.replace("<top>", fault.top).replace("<body>", fault.body)
