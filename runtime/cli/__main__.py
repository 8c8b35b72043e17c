"""``python -m nearword.runtime.cli``: the same as ``nearword``."""

from . import main

if __name__ == "__main__":
    main()
