"""`rrr live`: whether real money may be traded; a person arms it for some days, or disarms it."""

import sys

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import HouseError, SettingsError
from bus.house import House, open_house
from bus.plain import printable
from schema.exchange import Requirement
from schema.units import DAY_NS, SECOND_NS, iso
from services.gateway.arming_wish import DAYS_MAX, Standing, Wish
from services.rrr.asking import asked
from services.rrr.books import read_books
from services.rrr.live_check import GATEWAY, limits_now, look
from services.rrr.pipes import reader_may_leave
from services.rrr.places import span_ns
from services.rrr.resume import reason_of, show_done
from services.rrr.screen import table, world_line
from services.rrr.survey import NotReadyError
from services.rrr.verbs import InnerVerbs

MARKS = {"ok": "ok", "advice": "advice", "fails": "NO"}
VERBS = {
    "check": ("live trading", "services.rrr.live"),
    "arm": ("live trading", "services.rrr.live"),
    "disarm": ("live trading", "services.rrr.live"),
}


@click.command(cls=InnerVerbs, table=VERBS)
def live() -> None:
    """Let orders leave for real money for some days, or not any more."""


@click.command(short_help="Show every condition, and what to do.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(*, as_json: bool) -> None:
    """Show every condition of live trading, and what to do; exits 3 where one fails."""
    house = open_house()
    standing = look(house, SystemClock())
    failing = _failing(standing)
    with reader_may_leave():
        click.echo(_json(standing) if as_json else "\n".join(_shown(house, standing)))
    if failing:
        sys.exit(NotReadyError.exit_code)


@click.command(short_help="Let orders leave for real money, for some days.")
@click.option("--for", "span", required=True, metavar="SPAN", help=f"7d, 12h …; {DAYS_MAX}d most.")
@click.option("--why", required=True, metavar="TEXT", help="Kept for the audit.")
@click.option("--account", metavar="TAG", help="The account, instead of typing it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def arm(span: str, why: str, account: str | None, *, as_json: bool) -> None:
    """Let orders leave for real money until SPAN is over; a restart inside it needs nobody.

    Every condition has to hold. Afterwards only what reduces risk leaves, until it is armed again.
    """
    for_s = _seconds(span)
    reason, house = reason_of(why), _live_house()
    clock = SystemClock()
    standing = look(house, clock)
    if not as_json:
        until = iso(clock.wall_ns() + for_s * SECOND_NS)
        click.echo("\n".join([*_shown(house, standing), "", *_stakes(house, until)]))
    _require_all(standing)
    typed = _typed(standing.account) if account is None else account.strip()
    if typed != standing.account:
        raise HouseError("nothing was armed", f"{typed!r} is not the account of this house")
    wish = msgspec.json.encode(Wish(typed, for_s, reason)).decode()
    show_done(asked(house.run, GATEWAY, "arm", (wish,)), as_json=as_json)


@click.command(short_help="Let only what reduces risk leave from now on.")
@click.option("--why", required=True, metavar="TEXT", help="Kept for the audit.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def disarm(why: str, *, as_json: bool) -> None:
    """Let nothing leave any more that adds risk; reductions, stops and cancels go on."""
    house = _live_house()
    show_done(asked(house.run, GATEWAY, "disarm", (reason_of(why),)), as_json=as_json)


def _live_house() -> House:
    house = open_house()
    if house.settings.mode != "live":
        raise SettingsError(
            f"mode is {house.settings.mode}: there is no real money to arm",
            'Set mode = "live" and `exchange.account` in settings.local.toml',
        )
    return house


def _seconds(span: str) -> int:
    found_ns = span_ns(span)
    if not 0 < found_ns <= DAYS_MAX * DAY_NS:
        raise click.UsageError(f"--for {span}: expected more than nothing, at most {DAYS_MAX}d")
    return found_ns // SECOND_NS


def _failing(standing: Standing) -> list[Requirement]:
    return [one for one in standing.conditions if one.fails]


def _require_all(standing: Standing) -> None:
    if failing := _failing(standing):
        names = ", ".join(one.name for one in failing)
        raise NotReadyError(f"nothing was armed: {names}", "`rrr live check` says what to do")


def _typed(account: str) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is at a terminal to be asked; add --account")
    return input(f"This lets orders leave for real money. Type the account, {account}: ").strip()


def _shown(house: House, standing: Standing) -> list[str]:
    rows: list[tuple[str, ...]] = [
        (MARKS[one.state], one.name, f"{one.text}{f' -> {one.todo}' if one.todo else ''}")
        for one in standing.conditions
    ]
    return [world_line(house.world, house.settings.mode), _standing_line(standing), *table(rows)]


def _standing_line(standing: Standing) -> str:
    if standing.armed:
        told = f"Armed until {standing.until}, by {standing.by}: {standing.why}"
    else:
        told = f"Not armed{f', by {standing.by}: {standing.why}' if standing.by else ''}"
    hindered = standing.armed and standing.hindrance
    return printable(f"{told}{f'; but {standing.hindrance}' if hindered else ''}")


def _stakes(house: House, until: str) -> list[str]:
    books, limits = read_books(house), limits_now(house)
    return [
        f"Account {house.settings.exchange.account}, until {until}",
        f"  equity {books.equity} {books.quote}, cash {books.cash} {books.quote}",
        (
            f"  one order at most {limits['max_order_notional']}, all of a symbol "
            f"{limits['max_position_notional']}, of all symbols {limits['max_gross_exposure']}, "
            f"a day's loss {limits['daily_loss']}"
        ),
    ]


def _json(standing: Standing) -> str:
    conditions = [
        {"name": one.name, "state": one.state, "text": one.text, "todo": one.todo}
        for one in standing.conditions
    ]
    fields = msgspec.structs.asdict(standing) | {"conditions": conditions}
    return msgspec.json.encode({"ok": not _failing(standing), **fields}).decode()
