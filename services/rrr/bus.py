"""`rrr bus`: watch the streams, read and copy them, look after their journals."""

from typing import Any

import click

from bus.errors import HouseError
from services.rrr.verbs import Verbs

VERBS = {
    "watch": ("watch", "services.rrr.bus_watch"),
    "echo": ("watch", "services.rrr.bus_watch:watch"),
    "hz": ("watch", "services.rrr.bus_rate"),
    "bw": ("watch", "services.rrr.bus_rate"),
    "delay": ("watch", "services.rrr.bus_rate"),
    "list": ("read", "services.rrr.bus_list:list_streams"),
    "info": ("read", "services.rrr.bus_info"),
    "lag": ("read", "services.rrr.bus_lag"),
    "get": ("read", "services.rrr.bus_read"),
    "cat": ("read", "services.rrr.bus_read"),
    "trace": ("read", "services.rrr.bus_trace"),
    "record": ("copy", "services.rrr.bus_record"),
    "play": ("copy", "services.rrr.bus_play"),
    "pub": ("copy", "services.rrr.bus_pub"),
    "journal": ("look after", "services.rrr.bus_journal"),
    "schema": ("look after", "services.rrr.bus_schema"),
}
"""Each verb, what it is for, and the file that it lives in."""

INTEGRITY = 5


class BusVerbs(Verbs):
    """The verbs of the bus; they end with 0 to 5, whatever went wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HouseError as error:
            if error.exit_code > INTEGRITY:  # Those are for a supervisor, and none runs these.
                error.exit_code = 1
            raise


@click.command(cls=BusVerbs, table=VERBS)
def bus() -> None:
    """Watch the streams, read and copy them, look after their journals."""
