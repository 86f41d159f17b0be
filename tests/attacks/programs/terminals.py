"""Through the terminal to whoever sits at it."""

import fcntl
import termios

from run import Failed


def type_ahead(text):
    """TIOCSTI: put characters into the terminal's input, as if they had been typed; a shell reads them afterwards."""
    errors = []
    for fd in range(3):
        try:
            for character in text:
                fcntl.ioctl(fd, termios.TIOCSTI, character.encode())
            return f"typed on descriptor {fd}"
        except OSError as error:
            errors.append(str(error))
    raise Failed(errors)
