"""The one error a user can cause."""


class InputError(ValueError):
    """Bad input: says what it is, what was got, what is expected and the remedy.

    The tools print its message on one line and exit with status 2; anything else that
    is raised is our own fault and keeps its stack trace.
    """
