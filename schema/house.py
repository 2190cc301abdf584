"""What the house says of itself: life signs, alerts, turns, results, and local messages."""

import msgspec

from schema.head import Local, Message

Positions = tuple[tuple[int, int], ...]
"""(stream number, position) pairs."""


class Alert(Message, tag=120, frozen=True, kw_only=True):
    """A condition that a person should know of; `name` is a heading of docs/runbook.md."""

    name: str
    severity: str  # info | warning | critical
    state: str  # firing | resolved
    scope: str
    summary: str
    since_ns: int = 0


class BacktestResult(Message, tag=125, frozen=True, kw_only=True):
    """The outcome of one run; metrics by name."""

    run_id: str
    strategy: str
    world: str
    metrics: tuple[tuple[str, float], ...]
    orders: int
    fingerprint: str = ""
    report: str = ""  # JSON: all that `rrr backtest` shows of the run, without trades and curves


class RunTrade(msgspec.Struct, frozen=True, array_like=True):
    """One round trip of a run; `gain` is after fees, both are quote money of eight decimals."""

    symbol: str
    side: str  # long | short
    opened_ns: int
    closed_ns: int
    opened_bar: int  # index among the bars of the run
    closed_bar: int
    qty: int  # all that was opened, growth included; qty_exp
    qty_exp: int
    entry_px: float  # averages of the fills
    exit_px: float
    gain: int
    fees: int
    entry_tag: str
    exit_tag: str


class RunTrades(Message, tag=126, frozen=True, kw_only=True):
    """Round trips of a run, oldest first; `first` is the number of the first one."""

    run_id: str
    first: int
    trades: tuple[RunTrade, ...]


class RunEquity(Message, tag=127, frozen=True, kw_only=True):
    """Points of what the strategy was worth: as many as a picture shows, ends and extremes kept."""

    run_id: str
    at_ns: tuple[int, ...]
    equity: tuple[int, ...]  # exp
    exp: int


class RunPrices(Message, tag=128, frozen=True, kw_only=True):
    """Points of one symbol's closes during a run, thinned like its equity."""

    run_id: str
    symbol: str
    at_ns: tuple[int, ...]
    px: tuple[int, ...]  # px_exp
    px_exp: int


class ProcessState(Message, tag=130, frozen=True, kw_only=True):
    """A change of state of one process, as the supervisor sees it."""

    program: str
    state: str
    before: str
    pid: int = 0
    expected: bool = True
    exit_code: int = -1
    detail: str = ""


class Note(Message, tag=135, frozen=True, kw_only=True):
    """What a person or a script says by `rrr bus pub`; no service acts on it."""

    topic: str
    body: str  # JSON


class Heartbeat(Message, tag=200, frozen=True, kw_only=True):
    """A service's sign of life and progress, from its main loop, four times a second."""

    service: str
    state: str  # schema.house.STATES
    reason: str
    world: str
    pid: int
    started_ns: int  # wall time
    turn: int  # progress: grows with every pass that did something
    last: Positions  # last position appended to each own stream
    synced: Positions  # last position known to be on the disk
    cursors: Positions  # last position consumed of each stream heard
    counters: tuple[tuple[str, int], ...] = ()
    loop_lag_us: int = 0  # the longest pass since the last heartbeat
    edge_age_ms: int = 0  # since the edge's own tick; 0 without an edge
    rss_bytes: int = 0
    contract: str = ""
    code: str = ""


class EpochOpened(Message, tag=201, frozen=True, kw_only=True):
    """The first record of an epoch: where the stream stood when its owner started."""

    prev_pos: int
    clean: bool  # the owner before said BYE
    boot_id: str
    pid: int
    code: str


class Bye(Message, tag=202, frozen=True, kw_only=True):
    """The last record of a clean stop."""

    reason: str


class SegmentEnd(Message, tag=203, frozen=True, kw_only=True):
    """The hash of all bytes of a segment before this record; the next segment repeats it."""

    blake2b: bytes
    next_base: int


class Inputs(Message, tag=210, frozen=True, kw_only=True):
    """One turn of a processor: what it heard, in the order that it was handled."""

    turn: int
    now_ns: int
    code: str
    slices: tuple[tuple[int, int, int], ...]  # stream number, first and last position
    local: tuple[tuple[int, bytes], ...] = ()  # index among the inputs, packed local message


class Started(Local, tag=220, frozen=True, kw_only=True):
    """The first input of an epoch."""

    epoch: int
    grade: str  # fresh | exact | folded


class Recovered(Message, tag=221, frozen=True, kw_only=True):
    """How a service came back, and from which turn on a replay can verify it."""

    grade: str
    from_turn: int
    missing: str = ""


class TimeGap(Local, tag=222, frozen=True, kw_only=True):
    """Wall and monotonic clock disagree: the machine slept or the clock was set."""

    jump_ms: int


class PeerSeen(Local, tag=223, frozen=True, kw_only=True):
    """How a service that this one cannot do without does; said when it changes.

    `state` is its own (schema.house.STATES), SILENT when no heartbeat came for as long as this
    service bears, or BEHIND when it has not read what was said for too long.
    """

    service: str
    state: str
    reason: str = ""
    contract: str = ""  # which schema, bus and mode it runs

    @property
    def ready(self) -> bool:
        return self.state == "READY"


class Wake(Local, tag=230, frozen=True, kw_only=True):
    """Asks the runner for a `Timer` of this name at a market time; the latest request counts."""

    name: str
    at_ns: int


class Timer(Local, tag=231, frozen=True, kw_only=True):
    """The time asked for has come."""

    name: str
    at_ns: int


class Command(Local, tag=232, frozen=True, kw_only=True):
    """A person's command that reached a service through its control socket."""

    request_id: str
    verb: str
    args: tuple[str, ...]
    by: str
    until_mono_ns: int = 0  # when its asker stops waiting: it is not done after that; 0 is never


class CommandDone(Local, tag=233, frozen=True, kw_only=True):
    """The answer to a `Command`."""

    request_id: str
    ok: bool
    text: str
    body: bytes = b""


class EdgeFailed(Local, tag=234, frozen=True, kw_only=True):
    """A task of the edge ended or raised."""

    task: str
    error: str


class Unanswered(Local, tag=235, frozen=True, kw_only=True):
    """An effect whose answer did not come in time, or never will."""

    effect_id: str
    reason: str


class SnapshotDue(Local, tag=236, frozen=True, kw_only=True):
    """Asks a core to say how things stand on one of its streams, for those who join later."""

    stream: int


STATES = (
    "STARTING",
    "RECOVERING",
    "CATCHING_UP",
    "READY",
    "DEGRADED",
    "DRAINING",
    "STOPPED",
    "FAILED",
)
