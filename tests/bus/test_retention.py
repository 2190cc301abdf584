"""The laws of retention: what goes, what never goes, and for whom something stays."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from bus.retention import Kept, Limits, Plan, plan
from schema.streams import STREAMS, Stream
from schema.units import DAY_NS

ORDERS, BARS, TRADES = (STREAMS[name] for name in ("gateway.order", "ingest.bar", "ingest.trade"))
NOW_NS = 20_000 * DAY_NS
LIMITS = Limits(archive_after_ns=DAY_NS, plain_bytes=1 << 60, cap_bytes=1 << 60)


def lying(ages_days: list[float], *, archived: bool = False) -> list[Kept]:
    """Return segments of ten bytes and ten positions each, then the newest one."""
    made = [
        Kept(n * 10, n * 10 + 9, NOW_NS - int(age * DAY_NS), 10, archived=archived)
        for n, age in enumerate(ages_days)
    ]
    return [*made, Kept(len(made) * 10, 1 << 62, 0, 10, sealed=False)]


def cursors_at(stream: Stream, pos: int | None) -> dict[str, int | None]:
    return dict.fromkeys(stream.durable, pos)


def test_what_is_old_and_read_by_all_goes_and_the_rest_stays() -> None:
    found = plan(TRADES, lying([5, 3, 1, 0]), cursors_at(TRADES, 1000), NOW_NS, LIMITS)
    assert found == Plan(delete=(0, 10))


def test_a_consumer_three_days_behind_holds_everything_that_it_has_not_read() -> None:
    kept = lying([9, 8, 7, 6], archived=True)
    found = plan(TRADES, kept, cursors_at(TRADES, 14), NOW_NS, LIMITS)
    assert (found.delete, found.held_by) == ((0,), ("writer_market",))


def test_a_consumer_that_nobody_heard_of_holds_everything() -> None:
    kept = lying([90, 80], archived=True)
    found = plan(BARS, kept, {"writer_market": 1000, "writer_analytics": None}, NOW_NS, LIMITS)
    assert (found.delete, found.held_by) == ((), ("writer_analytics",))


def test_beyond_the_cap_the_oldest_go_unread_and_are_counted() -> None:
    kept = lying([0.5, 0.4, 0.3, 0.2], archived=True)
    limits = Limits(DAY_NS, 1 << 60, cap_bytes=35)
    found = plan(TRADES, kept, cursors_at(TRADES, None), NOW_NS, limits)
    assert found.delete == found.forced == (0, 10)
    assert found.over_bytes == 0


def test_before_the_cap_takes_anything_all_that_can_be_is_compressed() -> None:
    limits = Limits(DAY_NS, plain_bytes=0, cap_bytes=35)
    kept = lying([0.5, 0.4, 0.3, 0.2])
    found = plan(TRADES, kept, cursors_at(TRADES, None), NOW_NS, limits)
    assert (found.delete, found.archive, found.over_bytes) == ((), (0, 10, 20, 30), 0)
    again = plan(TRADES, kept, cursors_at(TRADES, None), NOW_NS, limits, archiving=False)
    assert (again.forced, again.archive) == ((0, 10), (20, 30))


def test_class_a_refuses_the_cap_and_says_by_how_much_it_is_exceeded() -> None:
    kept = lying([100, 90, 80], archived=True)
    limits = Limits(DAY_NS, 1 << 60, cap_bytes=25)
    found = plan(ORDERS, kept, cursors_at(ORDERS, 1000), NOW_NS, limits)
    assert found == Plan(over_bytes=15)


def test_what_is_too_much_uncompressed_is_archived_from_the_old_end() -> None:
    limits = Limits(DAY_NS, plain_bytes=20, cap_bytes=1 << 60)
    kept = lying([0.3, 0.2, 0.1, 0.1])
    assert plan(BARS, kept, cursors_at(BARS, 0), NOW_NS, limits).archive == (0, 10)


def test_a_segment_at_both_places_is_finished() -> None:
    kept = lying([0.1, 0.1])
    kept[1] = Kept(10, 19, NOW_NS, 10, doubled=True)
    assert plan(BARS, kept, cursors_at(BARS, 0), NOW_NS, LIMITS).archive == (10,)


def test_a_segment_without_its_end_is_named_for_somebody_to_be_told() -> None:
    kept = lying([0.3, 0.2, 0.1])
    kept[1] = Kept(10, 19, 1 << 62, 10, sealed=False)
    assert plan(BARS, kept, cursors_at(BARS, 0), NOW_NS, LIMITS).archive == (10,)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Stream, list[Kept], dict[str, int | None], Limits, bool]:
    stream = draw(st.sampled_from([one for one in STREAMS.values() if one.journaled]))
    kept, base = [], draw(st.integers(0, 3))
    for _ in range(draw(st.integers(0, 8))):
        last = base + draw(st.integers(0, 5))
        age_ns = draw(st.integers(-DAY_NS, 4000 * DAY_NS))
        archived = draw(st.booleans())
        kept.append(
            Kept(
                base,
                last,
                NOW_NS - age_ns,
                draw(st.integers(1, 100)),
                archived=archived,
                sealed=archived or draw(st.integers(0, 5)) > 0,
                doubled=not archived and draw(st.booleans()),
            )
        )
        base = last + 1
    cursor = st.none() | st.integers(0, 60)
    cursors = {name: draw(cursor) for name in stream.durable}
    sizes = st.integers(0, 500)
    limits = Limits(draw(st.integers(0, 5 * DAY_NS)), draw(sizes), draw(sizes))
    return stream, kept, cursors, limits, draw(st.booleans())


def waits(one: Kept, cursors: Mapping[str, int | None]) -> bool:
    return any(cursor is None or cursor < one.last for cursor in cursors.values())


@given(scenes())
def test_no_plan_breaks_the_laws_of_retention(
    scene: tuple[Stream, list[Kept], dict[str, int | None], Limits, bool],
) -> None:
    stream, kept, cursors, limits, archiving = scene
    found = plan(stream, kept, cursors, NOW_NS, limits, archiving=archiving)
    by_base = {one.base: one for one in kept}
    newest = kept[-1].base if kept else -1
    assert newest not in (*found.delete, *found.archive)
    assert found.delete == tuple(one.base for one in kept)[: len(found.delete)]
    assert not set(found.archive) & set(found.delete)
    assert all(by_base[base].sealed for base in found.delete)
    assert not any(by_base[base].archived for base in found.archive)
    for base in set(found.delete) - set(found.forced):
        assert by_base[base].newest_ns < NOW_NS - stream.retention_days * DAY_NS
        assert not waits(by_base[base], cursors)
    left = sum(one.size for one in kept if one.base not in found.delete)
    if found.forced:
        assert stream.durability in "BC"
        assert left + by_base[found.forced[-1]].size > limits.cap_bytes
    if found.over_bytes:
        assert found.over_bytes == left - limits.cap_bytes


@given(scenes())
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    scene: tuple[Stream, list[Kept], dict[str, int | None], Limits, bool],
) -> None:
    stream, kept, cursors, limits, _ = scene
    for _ in range(3):
        found = plan(stream, kept, cursors, NOW_NS, limits)
        kept = [
            Kept(one.base, one.last, one.newest_ns, max(1, one.size // 5), archived=True)
            if one.base in found.archive
            else one
            for one in kept
            if one.base not in found.delete
        ]
    assert plan(stream, kept, cursors, NOW_NS, limits).idle
