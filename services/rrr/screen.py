"""`rrr status` for people: one screen of plain text, which needs no terminal."""

from typing import Any

HEAD = ("SERVICE", "STATE", "PID", "UP", "RESTARTS", "MEMORY", "LAG", "")
STEPS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
DEAD_STOP = "no service that trades is part of this house yet"


def screen(report: dict[str, Any]) -> str:
    """Return the whole screen."""
    ready = "READY" if report["ready"] else "NOT READY"
    lines = [_trading(report), *(_stop(stop) for stop in report["stops"])]
    lines += [f"World: {report['world']} ({report['mode']})   {ready}", ""]
    lines += table([HEAD, *(_service(service) for service in report["services"])])
    shards = [_shard(shard) for shard in report["shards"]]
    lines += ["", *table([("SHARD", "OK", "BEHIND", "SIZE"), *shards])]
    return "\n".join(lines)


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return rows as aligned lines."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def duration(seconds: float) -> str:
    """Return a stretch of time in its largest unit."""
    for size, unit in STEPS:
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return "0s"


def mebibytes(size: int) -> str:
    """Return a size in MiB."""
    return f"{size / (1 << 20):.1f} MiB"


def _trading(report: dict[str, Any]) -> str:
    if report["trading"]:
        return "Trading: YES"
    traders = {"engine", "risk", "gateway"}
    here = {service["name"] for service in report["services"]}
    why = "" if report["stops"] or here >= traders else f"   {DEAD_STOP}"
    return f"Trading: NO{why}"


def _stop(stop: dict[str, str]) -> str:
    return (
        f"  {stop['scope']}: {stop['what']}, since {stop['since']}, by {stop['by']}: "
        f"{stop['why']} -> {stop['release']}"
    )


def _service(service: dict[str, Any]) -> tuple[str, ...]:
    runs = service["rss_bytes"] > 0
    return (
        service["name"],
        service["state"],
        str(service["pid"]) if service["pid"] else "-",
        duration(service["uptime_s"]) if runs else "-",
        str(service["restarts"]),
        mebibytes(service["rss_bytes"]) if runs else "-",
        f"{service['lag_ms']} ms" if runs else "-",
        service["reason"],
    )


def _shard(shard: dict[str, Any]) -> tuple[str, ...]:
    behind_s = shard["behind_s"]
    return (
        shard["name"],
        "yes" if shard["ok"] else "NO",
        "?" if behind_s is None else f"{behind_s} s",
        mebibytes(shard["bytes"]),
    )
