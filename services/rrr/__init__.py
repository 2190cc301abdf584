"""The operator's hand: one file for each group of verbs, imported when its verb is used."""

import sys
from importlib import import_module

import click

from bus.errors import HouseError

VERBS = {
    "up": ("house", "services.rrr.house"),
    "down": ("house", "services.rrr.house"),
    "restart": ("house", "services.rrr.house"),
    "status": ("house", "services.rrr.house"),
    "logs": ("house", "services.rrr.house"),
    "orders": ("trading", "services.rrr.trading"),
    "positions": ("trading", "services.rrr.trading"),
    "trades": ("trading", "services.rrr.trading"),
    "why": ("trading", "services.rrr.why"),
    "why-not": ("trading", "services.rrr.why_not"),
    "kill": ("safety", "services.rrr.kill"),
    "resume": ("safety", "services.rrr.resume"),
    "risk": ("safety", "services.rrr.limits"),
    "strategy": ("strategies", "services.rrr.resume"),
    "train": ("strategies", "services.rrr.train"),
    "db": ("store", "services.rrr.db"),
    "bus": ("bus", "services.rrr.bus"),
}
"""Each verb, the question that it answers, and the file that it lives in."""


class Verbs(click.Group):
    """The verbs by question; a verb's file is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = getattr(import_module(VERBS[cmd_name][1]), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group in dict.fromkeys(group for group, _ in VERBS.values()):
            names = [name for name, (of, _) in VERBS.items() if of == group]
            rows = [(name, self._short_help(ctx, name)) for name in names]
            with formatter.section(group):
                formatter.write_dl(rows)

    def _short_help(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        assert command is not None
        return command.get_short_help_str(70)


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def rrr() -> None:
    """Operate the house: local-first algorithmic trading.

    Exit codes: 0 ok, 1 failed, 2 usage, 3 not ready or behind, 4 unreachable, 5 integrity.
    """


def main() -> None:
    """Run the command line; a failure is one message and its exit code."""
    try:
        rrr.main(prog_name="rrr")
    except HouseError as error:
        click.echo(f"rrr: {error}", err=True)
        sys.exit(error.exit_code)
