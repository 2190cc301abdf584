"""Groups of verbs by the person's question; the file of a verb is imported when it is asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from bus.errors import HouseError

HELP_CHARS = 70
INTEGRITY = 5


class Verbs(click.Group):
    """Verbs by question; `table` has, for each verb, the question and where it lives.

    That is a module, and behind a colon the name in it, where that is not the verb's own.
    """

    def __init__(self, table: Mapping[str, tuple[str, str]], **attrs: Any) -> None:
        super().__init__(**attrs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table:
            return None
        module, _, name = self._table[cmd_name][1].partition(":")
        command = getattr(import_module(module), name or cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group in dict.fromkeys(group for group, _ in self._table.values()):
            names = [name for name, (of, _) in self._table.items() if of == group]
            rows = [(name, self._short_help(ctx, name)) for name in names]
            with formatter.section(group):
                formatter.write_dl(rows)

    def _short_help(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        assert command is not None
        return command.get_short_help_str(HELP_CHARS)


class InnerVerbs(Verbs):
    """A group of verbs within `rrr`; they end with 0 to 5, whatever went wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HouseError as error:
            if error.exit_code > INTEGRITY:  # Those are for a supervisor, and none runs these.
                error.exit_code = 1
            raise
