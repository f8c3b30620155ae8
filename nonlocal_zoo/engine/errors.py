"""What a user is told in one line: no traceback says more."""


class ConfigError(ValueError):
    """A config, or a change to one on the command line, that cannot be meant as it is."""


class CheckpointError(ConfigError):
    """A checkpoint that is damaged, or holds other things than tensors and plain values."""


class RunError(RuntimeError):
    """A run that cannot go on, through no fault of its config: a full disk, a loss that is NaN."""
