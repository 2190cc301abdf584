"""What holds for every test: a law fails for what it says, never for how long it took."""

from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.load_profile("house")
