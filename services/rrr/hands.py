"""What writes to a shard: its writer while it runs, else this process under the shard's lease."""

from collections.abc import Sequence

from bus.clock import SystemClock
from bus.errors import BusyError, HouseError, UnreachableError
from bus.house import House
from bus.lease import Lease
from bus.wire import ask, socket_path

SHARD_HINT = "`rrr status` shows how its writer is"
TRIES = 4
"""A writer that dies at it, and is back before its lease could be had, is asked again."""


def through_writer(
    house: House, shard: str, verb: str, args: Sequence[str] = (), wait_ms: int = 600_000
) -> str:
    """Have a shard's one connection do something; return what it did, for people.

    What is asked for may be begun twice: a writer that was killed at it has told nobody. HouseError
    says why it was not done; without a running writer this process is it for so long.
    """
    service = f"writer_{shard}"
    # Of a writer that was killed the socket is still there, of one that starts there is none yet.
    for left in reversed(range(TRIES)):
        holder = _holder(house, service)
        try:
            if holder and socket_path(house.run, service, "ctl").exists():
                return _by_writer(house, service, verb, args, wait_ms)
        except UnreachableError:  # It was killed, or is just going: the lease knows.
            pass
        try:
            return _by_hand(house, shard, verb, args)
        except BusyError:
            if not left or _holder(house, service) == holder:
                raise
    raise AssertionError("the last try returns or raises")


def _by_writer(house: House, service: str, verb: str, args: Sequence[str], wait_ms: int) -> str:
    holder = _holder(house, service)
    done = ask(
        house.run, service, verb, tuple(args), wait_ms,
        still=lambda: _holder(house, service) == holder,
    )  # fmt: skip
    if not done.ok:
        raise HouseError(f"{service} did not {verb}: {done.text}", SHARD_HINT)
    return done.text


def _holder(house: House, service: str) -> str:
    """Return the process that holds the place of a service; empty for one that is dead."""
    return Lease(house.run / f"{service}.lease").alive()


def _by_hand(house: House, shard: str, verb: str, args: Sequence[str]) -> str:
    from services.writer.build import open_store  # noqa: PLC0415 - a running house needs none of it

    store = open_store(shard, house, SystemClock())
    try:
        return store.chores()[verb](args)
    finally:
        store.close()
