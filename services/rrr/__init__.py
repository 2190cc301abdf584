"""The operator's hand: one file for each group of verbs, imported when its verb is used."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path

import click

from bus.errors import HouseError
from bus.plain import printable
from services.rrr.verbs import Verbs

MESSAGE_CHARS = 2000

VERBS = {
    "up": ("house", "services.rrr.house"),
    "down": ("house", "services.rrr.house"),
    "restart": ("house", "services.rrr.house"),
    "status": ("house", "services.rrr.house"),
    "logs": ("house", "services.rrr.house"),
    "data": ("market", "services.rrr.data"),
    "symbols": ("market", "services.rrr.symbols"),
    "feeds": ("market", "services.rrr.feeds"),
    "venue": ("market", "services.rrr.venue"),
    "orders": ("trading", "services.rrr.trading"),
    "positions": ("trading", "services.rrr.trading"),
    "trades": ("trading", "services.rrr.trading"),
    "balance": ("trading", "services.rrr.balance"),
    "buy": ("trading", "services.rrr.hand"),
    "sell": ("trading", "services.rrr.hand"),
    "close": ("trading", "services.rrr.hand"),
    "flatten": ("trading", "services.rrr.hand"),
    "cancel": ("trading", "services.rrr.hand"),
    "lock": ("trading", "services.rrr.lock"),
    "why": ("trading", "services.rrr.why"),
    "why-not": ("trading", "services.rrr.why_not"),
    "report": ("trading", "services.rrr.report"),
    "kill": ("safety", "services.rrr.kill"),
    "resume": ("safety", "services.rrr.resume"),
    "resolve": ("safety", "services.rrr.resolve"),
    "adopt": ("safety", "services.rrr.adopt"),
    "risk": ("safety", "services.rrr.limits"),
    "live": ("safety", "services.rrr.live"),
    "keys": ("safety", "services.rrr.keys"),
    "audit": ("safety", "services.rrr.audit"),
    "replay": ("safety", "services.rrr.replay"),
    "strategy": ("strategies", "services.rrr.strategy"),
    "backtest": ("strategies", "services.rrr.backtest"),
    "parity": ("strategies", "services.rrr.parity"),
    "train": ("strategies", "services.rrr.train"),
    "db": ("store", "services.rrr.db"),
    "bus": ("bus", "services.rrr.bus"),
}
"""Each verb, the question that it answers, and the file that it lives in."""


@click.command(cls=Verbs, table=VERBS, context_settings={"help_option_names": ["-h", "--help"]})
def rrr() -> None:
    """Operate the house: local-first algorithmic trading.

    Exit codes: 0 ok, 1 failed, 2 usage, 3 not ready or behind, 4 unreachable, 5 integrity;
    75 and 78 when a house refuses to start, as its services do.
    """


def main() -> None:
    """Run the command line; a failure is one message and its exit code."""
    _write_any_character()
    try:
        rrr.main(args=[_readable(word) for word in sys.argv[1:]], prog_name="rrr")
    except HouseError as error:
        click.echo(f"rrr: {_shortened(printable(str(error)))}", err=True)
        sys.exit(error.exit_code)


def _write_any_character() -> None:
    """Let a terminal or a pipe that lacks a character have its number, and a closed one nothing."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - open to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _readable(word: str) -> str:
    # Bytes that are no text come as halves of characters, which nothing here could write down.
    return os.fsencode(word).decode(errors="replace")


def _shortened(text: str) -> str:
    if len(text) <= MESSAGE_CHARS:
        return text
    return f"{text[: MESSAGE_CHARS // 2]} ... {text[-MESSAGE_CHARS // 2 :]}"
