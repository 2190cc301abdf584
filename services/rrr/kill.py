"""`rrr kill`: the shortest way from a person to the gateway, which needs nobody else for it.

It reads no settings and imports as little as it can. Where the gateway does not answer, or does
not obey, the order is left as a file, which the gateway obeys when it starts and while it runs.
"""

import sys
from pathlib import Path

import click
import msgspec

from bus.disk import put_whole
from bus.errors import HouseError, UnreachableError
from bus.plain import printable
from bus.root import run_directory
from bus.wire import ask, socket_path

LEVELS = ("REDUCING", "HALTED", "FLATTEN")
"""From the mildest to the strictest."""

BY_HAND = "by hand"
REASON_CHARS = 1000
ANSWER_MS = 1000
FILE = "KILL"


class KillLevelSeen(msgspec.Struct):
    """What the gateway says of its kill level."""

    level: str
    by: str
    why: str
    since: str = ""

    def __str__(self) -> str:
        since = f" since {self.since}" if self.since else ""
        return f"{self.level}{since}, by {self.by}: {self.why}"


@click.command()
@click.argument("why", nargs=-1)
@click.option(
    "--level",
    type=click.Choice(("reducing", "halted", "flatten"), case_sensitive=False),
    help="reducing: no new risk; halted: no entries, the default; flatten: close everything.",
)
@click.option("--flatten", is_flag=True, help="Cancel everything and close every position.")
@click.option("--reduce", is_flag=True, help="Only orders that reduce risk may leave.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def kill(
    why: tuple[str, ...], level: str | None, *, flatten: bool, reduce: bool, as_json: bool
) -> None:
    """Stop trading now; it stays stopped until `rrr resume`.

    No reason is needed: WHY is "by hand" without one. Exits 4 when the gateway does not answer;
    then a file tells it at its next start.
    """
    chosen = _strictest(level, flatten=flatten, reduce=reduce)
    reason = " ".join(printable(" ".join(why)).split())[:REASON_CHARS] or BY_HAND
    run = run_directory()
    problem = _tell_gateway(run, chosen, reason, as_json=as_json)
    if problem is None:
        return
    path = leave_file(run, chosen, reason)
    if as_json:
        _show_json(latched=False, file=str(path), level=chosen, why=reason)
    click.echo(
        f"rrr: {problem}. {path} was written instead: the gateway obeys it as soon as it reads it, "
        "at its start at the latest",
        err=True,
    )
    sys.exit(problem.exit_code)


def _strictest(level: str | None, *, flatten: bool, reduce: bool) -> str:
    # Of two wishes the stricter counts: a kill is not refused for having been said badly.
    wished = [level.upper()] if level else []
    wished += ["FLATTEN"] * flatten + ["REDUCING"] * reduce
    return max(wished or ["HALTED"], key=LEVELS.index)


def _tell_gateway(run: Path, level: str, why: str, *, as_json: bool) -> HouseError | None:
    """Return what went wrong; None when the level is latched and was shown."""
    if not socket_path(run, "gateway", "ctl").exists():
        return UnreachableError("the gateway does not run", "Start the house: `rrr up`")
    try:
        # A kill that is read late is a kill: whoever asked for it wants it all the more by then.
        done = ask(run, "gateway", "kill", (level, why), ANSWER_MS, even_late=True)
    except UnreachableError as error:
        return error
    if not done.ok:
        return HouseError(f"the gateway did not latch {level}: {done.text}", "`rrr status`")
    seen = kill_level(run)
    if as_json:
        now = msgspec.structs.asdict(seen) if seen is not None else {"level": level, "why": why}
        _show_json(latched=True, **now)
    else:
        click.echo(f"Latched: {seen or f'{level}: {why}'}")
        click.echo('Only a person lets it trade again: rrr resume "why"')
    return None


def kill_level(run: Path) -> KillLevelSeen | None:
    """Return the gateway's kill level; None when it does not say."""
    try:
        done = ask(run, "gateway", "level", (), ANSWER_MS)
        return msgspec.json.decode(done.body, type=KillLevelSeen) if done.ok else None
    except (UnreachableError, msgspec.MsgspecError):
        return None


def leave_file(run: Path, level: str, why: str) -> Path:
    """Write the order to stop for the gateway to find, synced; a stricter one that waits stays."""
    path = run / FILE
    waiting = _waiting(path)
    if waiting in LEVELS and LEVELS.index(waiting) > LEVELS.index(level):
        level = waiting
    try:
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        put_whole(path, f"{level} {why}\n".encode())
    except OSError as error:
        raise HouseError(
            f"neither the gateway nor {path} could be told to stop: {error}",
            "Stop the gateway itself: `supervisorctl stop gateway`",
        ) from error
    return path


def _waiting(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").partition(" ")[0].strip()
    except OSError:
        return ""


def _show_json(**fields: object) -> None:
    click.echo(msgspec.json.encode(fields).decode())
