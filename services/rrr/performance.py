"""One playing of a recording from its first word to its last, as it was planned."""

import json
import sys
from collections.abc import Iterator
from itertools import chain

import click
import msgspec

from bus.clock import MarketTime, SystemClock, write_market_time
from bus.errors import HouseError
from schema.frame import Frame
from schema.streams import STREAMS
from schema.units import SECOND_NS
from services.rrr.pipes import reader_may_leave
from services.rrr.player import Player
from services.rrr.recording import Recording
from services.rrr.rounds import Choice, Rounds
from services.rrr.sandbox import Sandbox, leased
from services.rrr.signals import noticed


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a recording is played."""

    rate: float  # 0 is as fast as possible
    burst: int = 0  # so many messages; 0 is all
    loop: bool = False
    clock: bool = False  # the sandbox's market clock tells the time of the recording
    paused: bool = False
    delay_ns: int = 0
    as_json: bool = False


def perform(recording: Recording, choice: Choice, plan: Plan, sandbox: Sandbox) -> None:
    """Play; what was said stays in the sandbox."""
    clock = SystemClock()
    rounds = Rounds(recording, choice)
    frames = rounds.first()
    first = next(frames, None)
    if first is None:
        raise HouseError(
            f"there is nothing to play in that part of {recording.directory}",
            "`rrr bus play DIR --info` shows what it holds",
        )
    names = sorted({choice.names.get(one.name, one.name) for one in recording.streams})
    owners = sorted({STREAMS[name].owner for name in names})
    with leased(sandbox, owners, clock):
        clock.start(_market(recording, plan, sandbox, first))
        player = Player(sandbox, names, plan.rate, clock)
        try:
            _begin(recording, plan, sandbox, names)
            _play_on(player, rounds, chain((first,), frames), plan)
        finally:
            player.close()
    _tell(plan, msgspec.structs.asdict(player.done), _as_text(player, sandbox))


def _begin(recording: Recording, plan: Plan, sandbox: Sandbox, names: list[str]) -> None:
    where = {
        "home": str(sandbox.home),
        "run": str(sandbox.run),
        "world": sandbox.world,
        "streams": names,
        "whole": recording.manifest is not None,
    }
    lines = [
        f"Playing {recording.directory} as world {sandbox.world}, in a sandbox. Look into it with",
        f"  {sandbox.environment} rrr bus watch {' '.join(names[:3])}",
    ]
    if recording.manifest is None:
        lines.append("It has no manifest, so its recorder was killed: what is whole is played.")
    _tell(plan, where, "\n".join(lines))
    if plan.paused:
        click.echo("Press Enter to begin ...", err=True)
        sys.stdin.readline()


def _play_on(player: Player, rounds: Rounds, frames: Iterator[Frame], plan: Plan) -> None:
    number = 0
    with noticed() as ending:
        player.wait_for(plan.delay_ns, ending)
        while player.play(frames, plan.burst, ending) and plan.loop:
            number += 1
            frames = rounds.further(number)


def _market(recording: Recording, plan: Plan, sandbox: Sandbox, first: Frame) -> MarketTime:
    """Let a clock run in the sandbox; by it `rrr` finds its world, too."""
    now_ns = SystemClock().wall_ns()
    origin_ns, scale, anchor_ns = now_ns, 1.0, now_ns
    if plan.clock:
        recorded = recording.manifest.clock if recording.manifest is not None else None
        origin_ns = recorded.market_ns(first.ts_ns) if recorded is not None else first.ts_ns
        scale = plan.rate * (recorded.scale if recorded is not None else 1.0)
        anchor_ns = now_ns + plan.delay_ns
    market = MarketTime(origin_ns, anchor_ns, scale, sandbox.world)
    write_market_time(sandbox.run / "clock.json", market)
    return market


def _tell(plan: Plan, told: dict[str, object], text: str) -> None:
    with reader_may_leave():
        click.echo(json.dumps(told) if plan.as_json else text)


def _as_text(player: Player, sandbox: Sandbox) -> str:
    done = player.done
    rounds = f" in {done.rounds} rounds" if done.rounds > 1 else ""
    seconds = player.played_ns / SECOND_NS
    return (
        f"Played {done.messages} messages, {done.frames} frames{rounds}, in {seconds:.1f} s; "
        f"they stay in {sandbox.home}"
    )
