"""What the user can mend. The command lines turn these into one sentence and exit code 2."""


class InputError(Exception):
    """Bad input: the message says what is wrong, where, and what to do."""


class BrokenVideoError(InputError):
    """One video that cannot be used: unreadable, truncated, too short, or fatal to its decoder."""
