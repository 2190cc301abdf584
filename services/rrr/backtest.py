"""`rrr backtest`: run a strategy over recorded bars, and show the runs that were kept."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bus.clock import SystemClock
from bus.errors import SettingsError, ShardError
from bus.house import House, open_house
from schema.units import SECOND_NS
from services.rrr.backtest_show import diff_runs, list_runs, show_run
from services.rrr.backtest_words import Asked, as_typed, meant, source_of
from services.rrr.books import as_integrity
from services.rrr.pipes import reader_may_leave
from services.rrr.survey import running_house

if TYPE_CHECKING:
    from services.backtest.record import Record

BAR_CHARS = 30


class Runs(click.Group):
    """Takes the name of a strategy where a verb would stand: to run is what one comes for."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        named = args[0] in self.commands or args[0].startswith("-")
        return super().resolve_command(ctx, args if named else ["run", *args])


@click.group(cls=Runs, subcommand_metavar="STRATEGY | list | show ID | diff A B [OPTIONS]")
def backtest() -> None:
    """Run STRATEGY over recorded bars, or look at the runs that were kept.

    `rrr backtest STRATEGY --help` names what a run takes.
    """


backtest.add_command(list_runs)
backtest.add_command(show_run)
backtest.add_command(diff_runs)


@backtest.command("run", hidden=True)
@click.argument("strategy")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV or CSV.gz of bars; without one the stored history is played.",
)
@click.option("--history", metavar="EXCHANGE", help="Its imported history, in any house.")
@click.option("--symbol", "symbols", multiple=True, help="What each --file holds, e.g. BTC/USDT.")
@click.option("--since", metavar="SPAN", help="The last 90d, 12h ... of the bars.")
@click.option("--from", "start", metavar="TIME", help="ISO; bars before it are known, not traded.")
@click.option("--until", metavar="TIME", help="ISO; without it to the end of the bars.")
@click.option("--bars", type=click.IntRange(1), help="No more than so many bars.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="A parameter or setting.")
@click.option("--commission", type=click.FloatRange(0, 0.1), help="Share of each fill's money.")
@click.option("--fees", type=click.IntRange(0, 1000), metavar="BPS", help="The same, in bps.")
@click.option("--watch", is_flag=True, help="Run again whenever its file or the settings change.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Its page, elsewhere than in the cache.",
)
@click.option("--open", "show_page", is_flag=True, help="Show its page in the browser.")
def run_one(
    *, watch: bool, as_json: bool, html: Path | None, show_page: bool, **words: Any
) -> None:
    """Run STRATEGY, a name in the settings or a .py file, with the cores that trade.

    Bars are heard at their close; orders fill as `strategy.NAME.backtest` says. The same code,
    settings and data are the same run, with the same id and figures. A run in which the strategy
    failed ends with code 1.
    """
    from services.rrr.backtest_watch import watched  # noqa: PLC0415 - a word of help needs no more

    asked, clock = Asked(**words), SystemClock()
    how = How(clock, as_json=as_json, html=html, show_page=show_page)
    if watch:
        watched(clock, lambda: source_of(open_house(), asked), lambda: _run(asked, how))
        return
    if _run(asked, how).outcome.failures:
        sys.exit(1)


class How:
    """How a run is shown."""

    def __init__(
        self, clock: SystemClock, *, as_json: bool, html: Path | None, show_page: bool
    ) -> None:
        self.clock = clock
        self._as_json, self._html, self._show_page = as_json, html, show_page

    def show(self, record: "Record", home: House) -> None:
        """Show what a run came to."""
        from services.rrr.backtest_page import (  # noqa: PLC0415 - as above
            forget_pages,
            place_of,
            write_page,
        )
        from services.rrr.backtest_table import shown  # noqa: PLC0415 - as above

        picture = record.picture()
        path = self._html or place_of(home, record.outcome.run_id)
        drawn = self._html is not None or self._show_page or not self._as_json
        with reader_may_leave():
            click.echo(record.report if self._as_json else shown(picture.report))
        if drawn:
            write_page(picture, path)
            forget_pages(home)
            click.echo(f"page: {path}", err=True)
        if self._show_page:
            click.launch(path.resolve().as_uri())


def _run(asked: Asked, how: How) -> "Record":
    from services.backtest import running  # noqa: PLC0415 - as above
    from services.backtest.keeping import keep  # noqa: PLC0415 - as above

    home, progress = running_house(open_house()), Progress(how.clock)
    plan, changes, environ = meant(home, os.environ, asked)
    try:
        house = running.house_of(environ, plan, changes)
    except SettingsError as error:
        raise as_typed(error, plan.strategy, changes) from error
    try:
        record = running.run(house, plan, progress.show)
    except ShardError as error:
        raise as_integrity(error) from error
    finally:
        progress.clear()
    try:
        keep(home, record, how.clock)
    finally:  # A full disk does not take away what was worked out.
        how.show(record, home)
    return record


class Progress:
    """A bar on a terminal, of what takes more than a second."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._since_ns = clock.mono_ns()
        self._shown = False

    def show(self, share: float) -> None:
        """Draw how far it has come."""
        if not sys.stderr.isatty() or self._clock.mono_ns() - self._since_ns < SECOND_NS:
            return
        self._shown = True
        done = round(share * BAR_CHARS)
        drawn = "█" * done + "░" * (BAR_CHARS - done)
        click.echo(f"\r\x1b[K{drawn} {share:4.0%}", err=True, nl=False)

    def clear(self) -> None:
        """Leave the line empty."""
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)
