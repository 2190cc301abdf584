"""Settings that are right one by one and wrong together, each refused before anything starts."""

from collections.abc import Mapping, Sequence

import msgspec

from bus.errors import SettingsError
from bus.settings import SHIPPED
from schema.settings import Settings, VenueSettings
from schema.units import parse_iso


def require_coherence(settings: Settings, origins: Mapping[str, str]) -> None:
    """Raise SettingsError for the first contradiction."""
    _once("ports", [str(port) for port in msgspec.structs.asdict(settings.ports).values()])
    _once("ingest.symbols", settings.ingest.symbols)
    _one_money(settings, origins)
    if settings.mode != "local" or settings.venue.market == "synthetic":
        _once("venue.symbol", settings.venue.symbol)  # A replay names it once for each file.
    if settings.mode == "local":
        _started(settings.venue, origins)
        _played(settings.venue, origins)
        _listed(settings, origins)


def _once(name: str, values: Sequence[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise SettingsError(f"`{name}` holds {value} twice", "Name it once")


def _one_money(settings: Settings, origins: Mapping[str, str]) -> None:
    # Limits, equity and profit are told in one asset; two would be summed as if they were one.
    symbols = settings.ingest.symbols or settings.venue.symbol
    quotes = dict.fromkeys(symbol.partition("/")[2] for symbol in symbols)
    if len(quotes) > 1:
        source = origins["ingest.symbols" if settings.ingest.symbols else "venue.symbol"]
        raise SettingsError(
            f"{source}: the symbols {' '.join(symbols)} are priced in {' and '.join(quotes)}: "
            "expected one quote asset for all that this house trades",
            "Name the symbols of one quote asset in `ingest.symbols`",
        )


def _started(venue: VenueSettings, origins: Mapping[str, str]) -> None:
    try:
        if venue.start:
            parse_iso(venue.start)
    except ValueError as error:
        source = origins["venue.start"]
        raise SettingsError(f"{source}: `venue.start` is {error}", f"Mend it in {source}") from None


def _played(venue: VenueSettings, origins: Mapping[str, str]) -> None:
    # Whoever names files and forgets the market would watch made-up prices.
    forgotten = venue.market == "synthetic" and origins["venue.market"] == SHIPPED
    if venue.replay and forgotten:
        raise SettingsError(
            f"{origins['venue.replay']}: `venue.replay` names files, and `venue.market` is not set",
            "Set RRR_VENUE__MARKET=replay to play them, or =synthetic to leave them",
        )


def _listed(settings: Settings, origins: Mapping[str, str]) -> None:
    for symbol in settings.ingest.symbols:
        if symbol not in settings.venue.symbol:
            source = origins["ingest.symbols"]
            raise SettingsError(
                f"{source}: `ingest.symbols` names {symbol}: expected some of `venue.symbol`, "
                f"{' '.join(settings.venue.symbol)}",
                f"Mend it in {source}, or add the symbol to `venue.symbol`",
            )
