"""Which version of nearword this is."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("nearword")
except PackageNotFoundError:  # run from a folder in which nothing was installed
    __version__ = "0+unknown"
