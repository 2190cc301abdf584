"""The house for the verbs of the night: they work when the settings do not."""

import click

from bus.errors import SettingsError
from bus.house import House, open_house, shipped_house


def standing_house() -> House:
    """Return the house around here; with broken settings, say so and go by the shipped ones.

    Which world runs is not taken from the settings anyway, but from the clock of the house.
    """
    try:
        return open_house()
    except SettingsError as error:
        house = shipped_house()
        click.echo(f"rrr: {error}", err=True)
        return house
