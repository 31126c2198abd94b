"""What goes wrong with an output."""


class OutputError(ValueError):
    """What cannot be read as an output of longhaul, and what to do about it."""


class NotFinishedError(OutputError):
    """A run that is not finished, or shards that are not merged."""
