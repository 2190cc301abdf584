"""`rrr data fetch`: bars from the exchange into its history."""

from collections.abc import Callable

import click
import msgspec

from bus.clock import Clock, SystemClock
from bus.errors import HouseError, ShardError
from bus.history import history_place
from bus.house import House
from schema.setting_types import TIMEFRAMES_NS
from services.ingest.edge_history import Door
from services.rrr.data_fetching import Fetched, Fetching, Wish, span_of
from services.rrr.data_import import AGAIN_HINT, FULL_CODE
from services.rrr.data_origin import Place, market_ns, open_door, place_of
from services.rrr.data_span import FORMS, since_ns, until_ns
from services.rrr.data_windows import Span
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import progress
from services.rrr.standing import standing_house
from services.rrr.survey import running_house
from services.writer.ballast import floor_bytes
from services.writer.history import open_history

SINCE = "30d"
NEAR = "1m"


class Plan(msgspec.Struct, frozen=True):
    """What a person asked for."""

    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    since: str
    until: str
    newest_first: bool
    again: bool

    def wishes(self, now_ns: int) -> list[Wish]:
        """Return each series that is wanted, seen from a market time."""
        begin_ns = since_ns(self.since, now_ns)
        end_ns = until_ns(self.until, now_ns) if self.until else now_ns
        if begin_ns >= min(end_ns, now_ns):
            raise click.UsageError(f"--since {self.since} is not before the end of what is wanted")
        return [
            Wish(one, tf, span_of(begin_ns, end_ns, TIMEFRAMES_NS[tf], now_ns),
                 self.newest_first, self.again)
            for one in self.symbols
            for tf in self.timeframes
        ]  # fmt: skip


@click.command()
@click.argument("symbols", nargs=-1)
@click.option("--since", default=SINCE, show_default=True, help=f"From when on: {FORMS}.")
@click.option("--until", default="", help="To when; a day or a month to its end. Else to now.")
@click.option("--timeframes", default=NEAR, show_default=True, help="e.g. 1m,1h,1d.")
@click.option("--exchange", default="", help="`binance` asks it in local mode, too.")
@click.option("--newest-first", is_flag=True, help="Begin with the newest bars.")
@click.option("--again", is_flag=True, help="Ask for what the exchange did not have before, too.")
@click.option("--no-archive", is_flag=True, help="Leave closed months as rows.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def fetch(
    symbols: tuple[str, ...],
    since: str,
    until: str,
    timeframes: str,
    exchange: str,
    *,
    newest_first: bool,
    again: bool,
    no_archive: bool,
    as_json: bool,
) -> None:
    """Fetch bars of SYMBOLS, or of all of this house, into the history of their exchange.

    What is there is not asked again, so that a fetch that was ended goes on where it was. In local
    mode the local venue is asked, and its history bears the name of the world. What the exchange
    does not have is told, and never filled with invented bars. It spends half of what
    `ingest.weight_share` allows, counted by the exchange itself, and waits where that is spent.
    """
    house = running_house(standing_house())
    own = house.settings.ingest.symbols
    plan = Plan(
        tuple(dict.fromkeys(one.upper() for one in symbols)) or own, _timeframes(timeframes),
        since, until, newest_first, again,
    )  # fmt: skip
    place, clock = place_of(house, exchange), SystemClock()
    plan.wishes(clock.wall_ns())  # What is wrong with it is told before anybody is asked.
    done: list[Fetched] = []
    trouble = _trouble(lambda: fetch_all(house, place, plan, clock, done, archive=not no_archive))
    with reader_may_leave():
        _show(done, as_json=as_json)
    if trouble is not None:  # What was done before it is shown all the same.
        raise trouble


def _trouble(work: Callable[[], None]) -> HouseError | None:
    try:
        work()
    except ShardError as error:
        return HouseError(error.what, AGAIN_HINT) if error.exit_code == FULL_CODE else error
    except HouseError as error:
        return error
    return None


def _timeframes(text: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
    unknown = [one for one in wanted if one not in TIMEFRAMES_NS]
    if unknown or not wanted:
        known = ",".join(TIMEFRAMES_NS)
        raise click.UsageError(f"--timeframes {text!r}: expected some of {known}")
    return wanted


def fetch_all(
    house: House, place: Place, plan: Plan, clock: Clock, done: list[Fetched], *, archive: bool
) -> None:
    """Fetch all that a person asked for; what is done is told even when the rest fails."""
    with open_door(house, place, clock) as door:
        now_ns = market_ns(house, place, door, clock)
        wishes = plan.wishes(now_ns)
        _require_listed(door, plan.symbols)
        where = history_place(house, place.history)
        with open_history(where, place.history, clock) as history:
            history.spare_bytes = floor_bytes(where, house.settings.writer.pause_free_mib)
            work = Fetching(door, history, place.history, clock)
            _carry_out(work, wishes, now_ns, done)
            if archive:
                history.archive()


def _require_listed(door: Door, symbols: tuple[str, ...]) -> None:
    found = door.listed(symbols)
    if unknown := [one for one in symbols if one not in found]:
        raise click.UsageError(f"{door.place} lists no {', '.join(unknown)}; nothing was fetched")


def _carry_out(work: Fetching, wishes: list[Wish], now_ns: int, done: list[Fetched]) -> None:
    plans: list[tuple[Wish, int, list[Span]]] = []
    for wish in wishes:
        first_ns = work.first_ns(wish) if wish.span_ns[0] < wish.span_ns[1] else None
        plan = [] if first_ns is None else work.plan(wish, first_ns)
        plans.append((wish, first_ns or wish.span_ns[0], plan))
    with progress(sum(len(spans) for _, _, spans in plans) or 1) as advance:
        for wish, first_ns, spans in plans:
            found = work.fetch(wish, spans, now_ns, advance)
            work.tell_absent(wish, first_ns, found)
            done.append(found)


def _show(done: list[Fetched], *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(done).decode())
        return
    for one in done:
        click.echo("\n".join(_lines(one)))


def _lines(one: Fetched) -> list[str]:
    counts = (
        f"{one.bars:,} bars, {one.added:,} added, {one.equal:,} equal to what is there, "
        f"{one.differing:,} differing, {one.bad:,} bad"
    )
    name = f"{one.exchange} {one.symbol} {one.timeframe}"
    none = [f"  the exchange has no bar of {one.absent:,} intervals"] if one.absent else []
    return [
        f"{name}: {one.since} … {one.until}, {one.pages:,} questions: {counts}",
        *none,
        *(f"    absent {gap['missing']:,}: {gap['from']} … {gap['to']}" for gap in one.gaps),
        *(f"  all of it: {report}" for report in one.reports),
    ]
