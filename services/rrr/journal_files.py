"""The journals of the house as its verbs look at them, by name."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from bus.archive import bases, place_of
from bus.disk import file_bytes
from bus.errors import HouseError
from bus.house import House
from bus.lease import Lease
from schema.streams import STREAMS, Stream
from services.rrr.bus_names import chosen
from services.rrr.digging import directory_of


class IntegrityError(HouseError):
    """Something that is not as it was written, or not as it has to be."""

    exit_code = 5


class Journal(msgspec.Struct, frozen=True):
    """The files of one stream."""

    stream: Stream
    directory: Path

    @property
    def size(self) -> int:
        """The bytes that its segments take."""
        return sum(file_bytes(place_of(self.directory, base)) for base in bases(self.directory))


def journals_named(house: House, names: Iterable[str]) -> list[Journal]:
    """Return the journals that some names mean, without a name all that the house keeps."""
    names = tuple(names)
    streams = [STREAMS[name] for name in (chosen(names) if names else STREAMS)]
    kept = [stream for stream in streams if stream.journaled]
    if names and not kept:
        raise click.UsageError(f"{names[0]} is told and not kept; it has no journal")
    found = [Journal(stream, directory_of(house.journal_dir, stream)) for stream in kept]
    return found if names else [one for one in found if bases(one.directory)]


def journal_named(house: House, name: str) -> Journal:
    """Return the journal of exactly one stream."""
    found = journals_named(house, [name])
    if len(found) != 1:
        raise click.UsageError(f"{name!r} means {len(found)} streams; name one")
    return found[0]


@contextmanager
def instead_of(house: House, owner: str, busy: Callable[[str], HouseError]) -> Iterator[None]:
    """Hold the lease of an owner that does not run; of one that does, `busy` makes a failure."""
    lease = Lease(house.run / f"{owner}.lease")
    try:
        house.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = lease.take()
    except OSError as error:
        raise HouseError(
            f"the lease {lease.path} cannot be written: {error.strerror}",
            "Free space or mend its permissions; RRR_RUN moves it elsewhere",
        ) from error
    if not taken:
        raise busy(lease.holder() or "unknown")
    try:
        yield
    finally:
        lease.release()
