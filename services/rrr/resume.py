"""The verbs that let it trade again: each shows what stops it, and asks before it releases."""

import sys
from pathlib import Path

import click
import msgspec

from bus.errors import HouseError
from bus.plain import printable
from schema.house import CommandDone
from services.rrr.asking import asked, stops_in
from services.rrr.kill import FILE, REASON_CHARS
from services.rrr.screen import stop_line, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import NotReadyError, running_house

WORD = "resume"

Verb = tuple[str, str, tuple[str, ...]]
"""Service, verb and arguments of a command."""


@click.command()
@click.argument("words", metavar="[SYMBOL] WHY", nargs=-1, required=True)
@click.option("--limit", metavar="NAME", help="Release this latched limit of risk.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--remove-file", is_flag=True, help="Remove data/run/KILL first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def resume(
    words: tuple[str, ...], limit: str | None, *, yes: bool, remove_file: bool, as_json: bool
) -> None:
    """Allow trading again, all of it or one SYMBOL; the reason WHY is kept for the audit."""
    house = running_house(standing_house())
    service, verb, args = _wish(words, limit)
    file = house.run / FILE
    if verb == "resume" and file.exists() and not remove_file:
        raise NotReadyError(
            f"{file} lies there and says {_text(file)!r}: the gateway would obey it again",
            "Remove it, or say `rrr resume --remove-file ...`",
        )
    preview = stops_told(house.run, service)
    if not as_json:
        click.echo("\n".join([world_line(house.world), *preview]))
    if not yes:
        confirm(" ".join((verb, *args)))
    if verb == "resume" and remove_file:
        file.unlink(missing_ok=True)
    show_done(asked(house.run, service, verb, args), as_json=as_json)


def _wish(words: tuple[str, ...], limit: str | None) -> Verb:
    if limit is not None:
        return "risk", "release", (limit, reason_of(" ".join(words)))
    if len(words) == 1 and not _is_symbol(words[0]):
        return "gateway", "resume", (reason_of(words[0]),)
    if len(words) == 2 and _is_symbol(words[0]):
        return "gateway", "resume-symbol", (words[0].upper(), reason_of(words[1]))
    raise click.UsageError('expected `rrr resume "why"` or `rrr resume SYMBOL "why"`')


def _is_symbol(word: str) -> bool:
    base, slash, quote = word.partition("/")
    return bool(slash and base.isalnum() and quote.isalnum())


def reason_of(text: str) -> str:
    """Return a reason as one line; UsageError for none."""
    reason = " ".join(printable(text).split())
    if not reason:
        raise click.UsageError("the reason is empty; say why, for the audit")
    return reason[:REASON_CHARS]


def stops_told(run: Path, service: str) -> list[str]:
    """Return what a service stops, as lines; UnreachableError when it does not answer."""
    # Whoever does not answer is found out here, before anything is removed.
    done = asked(run, service, "stops", ())
    stops = stops_in(done)
    return [f"{service} stops:", *map(stop_line, stops)] if stops else [f"{service} stops nothing."]


def confirm(what: str, word: str = WORD) -> None:
    """Have a person type a word; whoever is at no terminal says --yes."""
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is at a terminal to be asked; add --yes")
    typed = input(f"This will {what}. Type {word} to go on: ")
    if typed.strip() != word:
        raise HouseError("nothing was changed", f"It was typed {typed!r}, expected {word}")


def show_done(done: CommandDone, *, as_json: bool = False) -> None:
    """Show what a service answered; HouseError when it refused."""
    if as_json:
        click.echo(msgspec.json.encode({"ok": done.ok, "text": done.text}).decode())
    if not done.ok:
        raise HouseError(f"it was refused: {done.text}", "`rrr status` shows what stops it")
    if not as_json:
        click.echo(done.text or "done")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace").strip()[:200]
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
