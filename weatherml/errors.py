"""Mistakes that a user can mend."""


class UserError(ValueError):
    """A mistake the user can mend.

    The message is one line that names the thing, the value and the remedy. The command line prints it and exits with
    code 2; in Python it is an ordinary `ValueError`.
    """
