"""What a service says would follow from a wish, before a person is asked whether it is meant."""

from pathlib import Path

from bus.errors import HouseError
from bus.plain import printable
from services.rrr.asking import asked, body_of


def look(run: Path, service: str, verb: str, args: tuple[str, ...]) -> list[str]:
    """Return what would follow, as lines; HouseError when it would be refused."""
    done = asked(run, service, f"{verb}-look", args)
    if not done.ok:
        raise HouseError(f"it was refused: {done.text}", "Nothing was changed; `rrr status`")
    lines = body_of(done, list[str], service, "what would follow")
    return [f"  {printable(line)}" for line in lines]
