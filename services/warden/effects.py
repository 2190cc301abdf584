"""What moves between the warden's core and its edge."""

from schema.head import Effect, Local


class ProcessSeen(Local, tag=260, frozen=True, kw_only=True):
    """The supervisor changed the state of a process."""

    program: str
    state: str
    before: str
    pid: int = 0
    expected: bool = True
    exit_code: int = -1
    detail: str = ""


class Inventory(Local, tag=261, frozen=True, kw_only=True):
    """What there is when the warden starts: the supervisor's programs and its own memory."""

    programs: tuple[ProcessSeen, ...]
    memory: bytes


class SettingsChanged(Local, tag=262, frozen=True, kw_only=True):
    """A file of the settings is another than before."""


class Obeyed(Local, tag=263, frozen=True, kw_only=True):
    """The supervisor did what was asked."""

    effect_id: str


class StartProgram(Effect, tag=264, frozen=True, kw_only=True):
    """Start a program."""

    program: str


class StopProgram(Effect, tag=265, frozen=True, kw_only=True):
    """Stop a program."""

    program: str


class SignalProgram(Effect, tag=266, frozen=True, kw_only=True):
    """Send a signal to a program while it still is this process."""

    program: str
    pid: int
    signal: str


class Remember(Effect, tag=267, frozen=True, kw_only=True):
    """Keep what must outlive the warden."""

    memory: bytes
