"""``python -m nearword.runtime``: the same as ``nearword``."""

from .cli import main

if __name__ == "__main__":
    main()
