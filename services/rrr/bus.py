"""`rrr bus`: watch the streams, read and copy them, look after their journals."""

import click

from services.rrr.verbs import InnerVerbs

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


@click.command(cls=InnerVerbs, table=VERBS)
def bus() -> None:
    """Watch the streams, read and copy them, look after their journals."""
