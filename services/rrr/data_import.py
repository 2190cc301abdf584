"""`rrr data import`: files of bars into the history of their exchange."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import click
import msgspec

from bus.clock import Clock, SystemClock
from bus.errors import HouseError, SettingsError, ShardError
from bus.history import history_place
from bus.house import House
from schema.setting_types import TIMEFRAMES_NS
from services.rrr.data_bars import Series
from services.rrr.data_layouts import FORMATS, LayoutError
from services.rrr.data_outcome import outcome_lines, total_line
from services.rrr.data_report import Outcome, Report
from services.rrr.data_sources import Source, SourceError, digest, sources
from services.rrr.data_taking import (
    Subject,
    Wanted,
    describe,
    head,
    read_bars,
    refused,
    subject_of,
    take,
)
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import Advance, progress
from services.rrr.standing import standing_house
from services.writer.archive_files import live_months
from services.writer.ballast import floor_bytes
from services.writer.history import (
    History,
    by_month,
    open_history,
    require_name,
)
from services.writer.history_apply import Taken, beside
from services.writer.history_chunks import Chunk, Origin
from services.writer.history_there import There

FULL_CODE = 75
AGAIN_HINT = "Free space or mend its permissions, then import again: what is done stays done"


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--symbol", default="", help="Of the bars, e.g. BTC/USDT; else the file says it.")
@click.option("--timeframe", type=click.Choice(list(TIMEFRAMES_NS)), help="Of the bars; likewise.")
@click.option(
    "--exchange", default="", help="Whose history it is; else by name, columns or settings."
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Columns without a header.")
@click.option("--replace", is_flag=True, help="What differs from the file gives way to it.")
@click.option("--dry-run", is_flag=True, help="Read and compare; write nothing.")
@click.option("--no-archive", is_flag=True, help="Leave closed months as rows.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: files, and their sums.")
def import_(
    paths: tuple[Path, ...],
    symbol: str,
    timeframe: str | None,
    exchange: str,
    form: str | None,
    *,
    replace: bool,
    dry_run: bool,
    no_archive: bool,
    as_json: bool,
) -> None:
    """Take bars from files and directories PATHS into the history.

    Reads CSV, also in .gz or .zip, Parquet, and freqtrade's JSON: of Binance, Bitfinex, freqtrade,
    CryptoDataDownload, LEAN, and others whose first line names their columns. Feather is not read.
    Of rows with one time stays the one with the larger volume, then the later one; bars that are
    there stay unless --replace is given. Nothing is dropped silently: each row that was not taken
    stands in the report that is named. The same file again adds nothing.
    """
    house = standing_house()
    wanted = Wanted(
        _symbol(symbol), timeframe or "", exchange, form or "", replace,
        house.settings.exchange.name,
    )  # fmt: skip
    _require(paths, exchange)
    found, others = sources(paths)
    if not found:
        raise HouseError(
            f"there is no file of bars in {', '.join(map(str, paths))}: {others} others",
            "Files of bars end with .csv, .csv.gz, .zip, .parquet, .json or .json.gz",
        )
    with Import(house, wanted, SystemClock(), dry_run=dry_run) as work:
        trouble = _trouble(work, found, archive=not dry_run and not no_archive)
    with reader_may_leave():
        _show(work.outcomes, others, work.archived, as_json=as_json)
    if trouble is not None:  # What was done before it is shown all the same.
        raise trouble
    if not any(one.taken for one in work.outcomes):
        raise SystemExit(1)


def _trouble(work: "Import", found: list[Source], *, archive: bool) -> HouseError | None:
    try:
        work.take_all(found)
    except ShardError as error:
        full = error.exit_code == FULL_CODE
        return HouseError(error.what, AGAIN_HINT) if full else error
    except HouseError as error:
        return error
    try:
        if archive:
            work.archive()
    except HouseError as error:
        return error
    return None


class Import:
    """Takes files one after the other; the histories that they belong to stay open meanwhile."""

    def __init__(self, house: House, wanted: Wanted, clock: Clock, *, dry_run: bool) -> None:
        self._house = house
        self._wanted = wanted
        self._clock = clock
        self._dry_run = dry_run
        self._open: dict[str, History] = {}
        self._closing = ExitStack()
        self.outcomes: list[Outcome] = []
        self.archived: dict[str, list[int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def take_all(self, found: list[Source]) -> None:
        """Take one file after the other, as far as that goes."""
        total = sum(one.path.stat().st_size for one in found if one.path.exists())
        with progress(total) as advance:
            for source in found:
                self.outcomes.append(self._one(source, advance))

    def archive(self) -> None:
        """Put the closed months of each exchange away."""
        months = {name: len(live_months(history.place)) for name, history in self._open.items()}
        with progress(sum(months.values()) or 1) as advance:
            for name, history in self._open.items():
                self.archived[name] = history.archive(lambda month: advance(f"archive {month}", 1))

    def _one(self, source: Source, advance: Advance) -> Outcome:
        outcome = Outcome(source.shown)
        try:
            outcome.sha256 = digest(source)
            subject = subject_of(source, head(source), self._wanted)
            self._take(source, subject, outcome, advance)
        except (LayoutError, SourceError) as error:
            return refused(outcome, error)
        except OSError as error:
            if error.filename == str(source.path):
                return refused(outcome, _unread(source, error))
            raise SettingsError(
                f"the history cannot be written: {error.strerror}",
                AGAIN_HINT,
            ).of_disk(error) from error
        return outcome

    def _take(self, source: Source, subject: Subject, outcome: Outcome, advance: Advance) -> None:
        require_name(subject.exchange)
        history = None if self._dry_run else self._history(subject.exchange)
        path = history.imports / f"{outcome.sha256}.report.jsonl" if history else None
        with Report(path) as report:
            series = self._read(source, subject, outcome, report, advance)
            apply = history.take if history else Comparison(self._place(subject), self._clock)
            take(
                source, series, subject, outcome, report, apply, self._clock,
                replace=self._wanted.replace,
            )  # fmt: skip
            if history is None:
                outcome.status = "compared"
            elif outcome.status == "imported" or not report.is_kept:
                report.keep(outcome)
            else:
                outcome.report = str(path)

    def _read(
        self,
        source: Source,
        subject: Subject,
        outcome: Outcome,
        report: Report,
        advance: Advance,
    ) -> Series:
        def went(done: int) -> None:
            advance(source.name, done)

        try:
            series = read_bars(source, subject, self._clock.wall_ns(), report, outcome, went)
        except LayoutError as error:
            describe(outcome, subject, None, report)
            report.keep(refused(outcome, error))  # Why none of its rows was taken.
            raise
        describe(outcome, subject, series, report)
        return series

    def _history(self, exchange: str) -> History:
        if exchange not in self._open:
            place = history_place(self._house, exchange)
            history = open_history(place, exchange, self._clock)
            limits = self._house.settings.writer
            history.spare_bytes = floor_bytes(place, limits.pause_free_mib)
            self._open[exchange] = self._closing.enter_context(history)
        return self._open[exchange]

    def _place(self, subject: Subject) -> Path:
        return history_place(self._house, subject.exchange)


class Comparison:
    """What a dry run does with a chunk: holds it beside what is there."""

    def __init__(self, place: Path, clock: Clock) -> None:
        self._place = place
        self._clock = clock

    def __call__(self, chunk: Chunk, _origin: Origin) -> Iterator[Taken]:
        with There(self._place, self._clock) as there:
            for month, part in by_month(chunk):
                compared = beside(there, month, part)
                added = int(compared.new.sum())
                yield Taken(month, part.bars, False, added, compared.equal, 0, compared)


def _require(paths: tuple[Path, ...], exchange: str) -> None:
    for path in paths:
        try:
            path.stat()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise click.UsageError(f"{path} cannot be read: {why}") from error
    if exchange:
        try:
            require_name(exchange)
        except SettingsError as error:
            raise click.UsageError(str(error)) from error


def _symbol(symbol: str) -> str:
    base, _, quote = symbol.partition("/")
    if symbol and not (base and quote and symbol.isprintable() and symbol == symbol.strip()):
        raise click.UsageError(f"{symbol!r} is no symbol: expected one such as BTC/USDT")
    return symbol.upper()


def _unread(source: Source, error: OSError) -> SourceError:
    return SourceError(f"{source.shown} cannot be read: {error.strerror}", "Mend its permissions")


def _show(
    outcomes: list[Outcome], others: int, archived: dict[str, list[int]], *, as_json: bool
) -> None:
    if as_json:
        totals = {
            name: sum(getattr(one, name) for one in outcomes)
            for name in ("rows", "bars", "added", "equal", "differing", "replaced", "bad")
        }
        body = {"files": outcomes, "others": others, "archived": archived, **totals}
        click.echo(msgspec.json.encode(body).decode())
        return
    for outcome in outcomes:
        click.echo("\n".join(outcome_lines(outcome)))
    click.echo(total_line(outcomes, others))
    for exchange, months in archived.items():
        if months:
            click.echo(f"archived {len(months)} months of {exchange}: {months[0]} … {months[-1]}")
