"""What the journals and the shard hold in the end, held against a run that nobody interrupted."""

from array import array
from collections.abc import Iterator

from bus.audit import audit
from bus.house import House
from bus.journals import DiskJournals, Journals
from schema.frame import Kind
from schema.head import Message
from schema.house import Recovered
from schema.market import FeedStatus, Trade
from schema.messages import decode, encode
from schema.streams import STREAMS, TURNS
from schema.trading import RiskState, Verdict
from tests.chaos.parts import Sieve, Tally, number_of
from tests.chaos.shelf import Count, counted

Placed = tuple[int, Message]

SLICE_BYTES = 1 << 20


def said(journals: Journals, name: str) -> Iterator[Placed]:
    """Yield position and message of all that a service said on a stream."""
    stream = STREAMS[name]
    reader, after = journals.reader(stream), 0
    while frames := reader.read(after, SLICE_BYTES):
        after = frames[-1].last
        for frame in frames:
            if frame.kind == Kind.DATA:
                yield from enumerate(decode(stream.number, frame.body), frame.pos)
    reader.close()


def spoken(journals: Journals, name: str) -> Iterator[Placed]:
    """Yield what a service said, without the bus's own records, none of which may be a fold."""
    for pos, message in said(journals, name):
        assert not isinstance(message, Recovered), f"{name} at {pos}: {message}"
        if type(message) not in TURNS:
            yield pos, message


class Proof:
    """Walks all streams once and counts them as the tally should have."""

    def __init__(self, journals: DiskJournals) -> None:
        self._journals = journals
        self._sieve = Sieve()
        self._verdicts = spoken(journals, "risk.verdict")
        self._events = spoken(journals, "risk.event")
        self.counts = {name: Count() for name in Tally.hears}
        self._numbers: dict[str, array[int]] = {name: array("q") for name in Tally.hears}

    def walk(self) -> dict[str, Count]:
        """Return what each stream holds; AssertionError where one is not what it must be."""
        for pos, message in spoken(self._journals, "ingest.trade"):
            assert isinstance(message, Trade)
            self._count("ingest.trade", message)
            for answer in self._sieve.see(message):
                self._require(answer, (STREAMS["ingest.trade"].number, pos))
        for _, message in spoken(self._journals, "ingest.feed"):
            assert isinstance(message, FeedStatus)
            self._count("ingest.feed", message)
        rest = [*self._verdicts, *self._events]
        assert not rest, f"said without a reason: {rest[:3]}"
        for name in self.counts:
            self._flush(name)
        return self.counts

    def _require(self, answer: Message, cause: tuple[int, int]) -> None:
        """Hold what an uninterrupted sieve says against the journal, byte for byte."""
        verdict = isinstance(answer, Verdict)
        assert verdict or isinstance(answer, RiskState)
        name = "risk.verdict" if verdict else "risk.event"
        pos, found = next(self._verdicts if verdict else self._events, (0, None))
        assert found is not None, f"{name} lacks {answer}"
        assert found.cause == cause, f"{name} at {pos}: caused by {found.cause}, expected {cause}"
        assert encode([found]) == encode([_caused(answer, cause)]), f"{name} at {pos}: {found}"
        self._count(name, found)

    def _count(self, name: str, message: Message) -> None:
        numbers = self._numbers[name]
        numbers.append(number_of(message))
        if len(numbers) == 1 << 16:
            self._flush(name)

    def _flush(self, name: str) -> None:
        self.counts[name].take(self._numbers[name])
        self._numbers[name] = array("q")


def _caused(message: Message, cause: tuple[int, int]) -> Message:
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    return type(message)(**fields | {"cause": cause})


def differences(trades: int, house: House, journals: DiskJournals) -> list[str]:
    """Return everything that is not as it must be; empty when all is the whole story once."""
    found = []
    for name in Tally.hears:
        stream = STREAMS[name]
        report = audit(house.journal_dir / stream.owner / stream.channel, stream)
        found += [f"{name}: {problem}" for problem in report.problems]
    there, kept = Proof(journals).walk(), counted(house.db_dir)
    if there["ingest.trade"].count != trades:
        found.append(f"{there['ingest.trade'].count} trades in the journal, {trades} were said")
    for name, count in there.items():
        if count != kept.get(name):
            found.append(f"{name}: the journal has {count}, the shard has {kept.get(name)}")
    return found
