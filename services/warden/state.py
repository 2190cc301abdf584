"""What the warden remembers: the programs for long, and whom it is about to end."""

import msgspec

from services.warden.breaker import Program


class Hang(msgspec.Struct):
    """A process that was told to dump and end, and when it will be killed."""

    pid: int
    kill_at_ns: int


class State(msgspec.Struct):
    """Books of the programs, which outlive the warden in its memory file."""

    programs: dict[str, Program] = {}
    hangs: dict[str, Hang] = {}

    def program(self, name: str) -> Program:
        """Return what is known of a program."""
        return self.programs.setdefault(name, Program())


def pack(state: State) -> bytes:
    """Return the memory file's bytes."""
    return msgspec.json.encode(state.programs)


def unpack(memory: bytes) -> dict[str, Program]:
    """Return the programs of a memory file; none when it is absent or damaged."""
    try:
        return msgspec.json.decode(memory, type=dict[str, Program])
    except msgspec.MsgspecError:
        return {}
