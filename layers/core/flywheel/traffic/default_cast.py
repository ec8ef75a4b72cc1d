"""The personas that come with the package."""

from importlib import resources


def default_cast_text() -> bytes:
    """The text of the package's `personas.json`."""
    return resources.files("flywheel").joinpath("personas.json").read_bytes()
