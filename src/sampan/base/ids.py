"""Identifiers: 64 lower-case hexadecimal digits, as Docker's; the first 12 are the short form."""

import os

SHORT = 12


def new_id() -> str:
    """A random 256-bit identifier whose short form is not all digits (it must not be mistaken for a number)."""
    while True:
        found = os.urandom(32).hex()
        if not found[:SHORT].isdigit():
            return found
