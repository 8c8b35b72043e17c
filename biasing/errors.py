"""What can be wrong with what is to be boosted."""


class BiasingError(ValueError):
    """A list, a template or a setting that cannot be used at all. Names it, what was expected, what to do."""
