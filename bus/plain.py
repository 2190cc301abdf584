"""Text as a terminal and a log may show it: what a person typed may hold anything."""


def printable(text: str) -> str:
    """Return a text on one line, without what a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in text)
