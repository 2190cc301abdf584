"""What is wrong right now, as plain conditions; whether they last is the core's concern.

Names are headings of docs/runbook.md.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bus.health import Verdict
from schema.house import Heartbeat
from schema.orders import BalanceSeen, InstrumentHalted, KillLevel, OrderUnconfirmed
from schema.units import to_text
from services.monitor.laws import Breach

HOLD_S = {
    "ServiceDead": 0,
    "ServiceDegraded": 5,
    "CrashLoop": 0,
    "FeedStale": 5,
    "FeedQuarantine": 90,
    "WriterBehind": 0,
    "DiskLow": 0,
    "ContractMismatch": 5,
    "BooksDiffer": 5,
    "OrderBreach": 0,
    "OrderUnconfirmed": 10,
    "KillLevel": 0,
    "InstrumentHalted": 0,
    "BalanceDiffers": 2,
    "JournalForced": 0,
    "JournalOverCap": 0,
    "ArchiveFailing": 120,
    "FilesLow": 5,
    "BackupOld": 3600,
    "BackupFailed": 0,
    "BackupSameVolume": 60,
    "WalPinned": 5,
    "ArchiveFailed": 0,
    "WriterPaused": 0,
    "LiveArmEnds": 0,
    "LiveNotArmed": 5,
}
"""How long a condition must last before it is an alert: restarts pass through the others."""

AUDITED = frozenset(
    {
        *("BooksDiffer", "OrderBreach", "OrderUnconfirmed"),
        *("KillLevel", "InstrumentHalted", "BalanceDiffers"),
        *("LiveArmEnds", "LiveNotArmed"),
    }
)
"""What only the whole of `gateway.order` can tell."""

FILES_PCT_MAX = 80

DEAD = frozenset({"DEAD", "STUCK", "FATAL", "EXITED"})
FEEDS = "ingest"
LOOP = "crash_loop."


class Condition(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    name: str
    scope: str
    severity: str
    summary: str


def of_verdicts(verdicts: Iterable[Verdict]) -> list[Condition]:
    """Return what the verdicts say: a service that a person stopped is nobody's alarm."""
    found = []
    for verdict in verdicts:
        summary = f"{verdict.service} is {verdict.state}: {verdict.reason}"
        if verdict.state in DEAD:
            found.append(Condition("ServiceDead", verdict.service, "critical", summary))
        elif verdict.state == "DEGRADED" and verdict.service == FEEDS:
            found.append(Condition("FeedStale", verdict.service, "warning", summary))
        elif verdict.state == "DEGRADED":
            found.append(Condition("ServiceDegraded", verdict.service, "warning", summary))
    return found


def of_loops(heartbeats: Iterable[Heartbeat], lag_ms_max: int) -> list[Condition]:
    """Return the services whose main loop was held up for too long in one pass."""
    return [
        Condition(
            "ServiceDegraded",
            heartbeat.service,
            "warning",
            f"{heartbeat.service} needed {heartbeat.loop_lag_us // 1000} ms for one pass, "
            f"at most {lag_ms_max} ms are expected",
        )
        for heartbeat in heartbeats
        if heartbeat.loop_lag_us > lag_ms_max * 1000
    ]


def of_crash_loops(counters: Sequence[tuple[str, int]]) -> list[Condition]:
    """Return the programs that the warden has stopped because they end again and again."""
    return [
        Condition(
            "CrashLoop",
            name.removeprefix(LOOP),
            "critical",
            f"{name.removeprefix(LOOP)} ends again and again; the warden tries it now and then",
        )
        for name, value in counters
        if name.startswith(LOOP) and value
    ]


def of_writer(service: str, behind_s: int, behind_s_max: int) -> list[Condition]:
    """Return whether a writer is too far behind what was said."""
    if behind_s <= behind_s_max:
        return []
    summary = f"{service} is {behind_s} s behind, at most {behind_s_max} s are allowed"
    return [Condition("WriterBehind", service, "warning", summary)]


def of_disk(path: str, free_mib: int, free_mib_min: int) -> list[Condition]:
    """Return whether the disk fills up."""
    if free_mib >= free_mib_min:
        return []
    summary = f"{free_mib} MiB are free at {path}, at least {free_mib_min} MiB are expected"
    return [Condition("DiskLow", path, "critical", summary)]


def of_journals(heartbeats: Iterable[Heartbeat]) -> list[Condition]:
    """Return whose old segments did not go where they should: by the owners' own counters."""
    found = []
    for heartbeat in heartbeats:
        service, counters = heartbeat.service, dict(heartbeat.counters)
        if forced := counters.get("retention_forced", 0):
            summary = f"{forced} segments of {service} went at its cap, before all had read them"
            found.append(Condition("JournalForced", service, "critical", summary))
        if over := counters.get("retention_over", 0):
            summary = f"{over} streams of {service} are beyond their cap, and nothing may go"
            found.append(Condition("JournalOverCap", service, "warning", summary))
        if failed := counters.get("archive_failed", 0):
            summary = f"{failed} streams of {service} cannot be archived; its log says why"
            found.append(Condition("ArchiveFailing", service, "warning", summary))
    return found


def of_refused(grew: Mapping[str, int]) -> list[Condition]:
    """Return the symbols of which rows that cannot be true came lately, and so many since then."""
    return [
        Condition(
            "FeedQuarantine",
            symbol,
            "warning",
            f"{symbol}: rows that cannot be true keep coming, {count} until now; "
            "nothing behind ingest sees them",
        )
        for symbol, count in grew.items()
    ]


def of_files(heartbeats: Iterable[Heartbeat]) -> list[Condition]:
    """Return the services that have nearly as many files and connections open as they may."""
    found = []
    for heartbeat in heartbeats:
        share = dict(heartbeat.counters).get("files_open_pct", 0)
        if share > FILES_PCT_MAX:
            summary = (
                f"{heartbeat.service} has {share} % of the files open that it may; at 100 it ends"
            )
            found.append(Condition("FilesLow", heartbeat.service, "critical", summary))
    return found


def of_contracts(heartbeats: Iterable[Heartbeat]) -> list[Condition]:
    """Return whether the services run different versions of what they share."""
    by_contract: dict[str, list[str]] = {}
    for heartbeat in heartbeats:
        if heartbeat.contract:
            by_contract.setdefault(heartbeat.contract, []).append(heartbeat.service)
    if len(by_contract) < 2:
        return []
    groups = "; ".join(
        f"{contract}: {', '.join(sorted(names))}" for contract, names in sorted(by_contract.items())
    )
    summary = f"the services differ in schema, bus or mode ({groups})"
    return [Condition("ContractMismatch", "house", "critical", summary)]


def of_books(differences: Mapping[str, str]) -> list[Condition]:
    """Return the books on which engine and audit do not agree."""
    return [
        Condition("BooksDiffer", scope, "critical", summary)
        for scope, summary in differences.items()
    ]


def of_breaches(breaches: Mapping[str, Breach]) -> list[Condition]:
    """Return the symbols in which an order broke a law."""
    return [
        Condition("OrderBreach", symbol, "critical", f"{breach.first} ({breach.count} in all)")
        for symbol, breach in breaches.items()
    ]


def of_unconfirmed(orders: Mapping[str, OrderUnconfirmed]) -> list[Condition]:
    """Return the orders of which nobody knows whether the venue has them."""
    return [
        Condition("OrderUnconfirmed", name, "warning", f"{order.symbol}: {order.reason}")
        for name, order in orders.items()
    ]


def of_kill(kill: KillLevel | None) -> list[Condition]:
    """Return whether the kill switch holds trading back."""
    if kill is None or kill.level == "ACTIVE":
        return []
    severity = "warning" if kill.level == "REDUCING" else "critical"
    summary = f"trading is {kill.level} by {kill.by}: {kill.reason}"
    return [Condition("KillLevel", kill.level, severity, summary)]


def of_halts(halts: Mapping[str, InstrumentHalted]) -> list[Condition]:
    """Return the symbols that take no orders until a person has looked."""
    return [
        Condition("InstrumentHalted", symbol, "critical", f"{symbol}: {halt.reason}")
        for symbol, halt in halts.items()
    ]


def of_balances(balances: Mapping[str, BalanceSeen]) -> list[Condition]:
    """Return the assets of which the venue has more or less than the gateway's books."""
    return [
        Condition(
            "BalanceDiffers",
            asset,
            "critical",
            f"the venue has {to_text(seen.free + seen.locked, seen.exp)} {asset}, "
            f"which is {to_text(seen.difference, seen.exp)} off the gateway's books",
        )
        for asset, seen in balances.items()
        if seen.difference
    ]
