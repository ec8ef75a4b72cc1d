"""What goes wrong when the local stack is driven: each message names the cause and the next step."""


class LocalStackError(Exception):
    """The stack cannot be started, deployed to, or found."""
