"""Classic BPF as seccomp(2) runs it, in Python: what a filter decides about a call.

Spec        linux/filter.h; the kernel's seccomp_run_filters. Only what filters use: loads of words of struct
            seccomp_data, AND, jumps, returns.
"""

import struct
from collections.abc import Sequence

DATA = struct.Struct("<IIQ6Q")


def data(audit: int, number: int, arguments: Sequence[int] = ()) -> bytes:
    """struct seccomp_data."""
    return DATA.pack(number, audit, 0, *arguments, *[0] * (6 - len(arguments)))


class Machine:
    """A program, decoded."""

    def __init__(self, program: bytes) -> None:
        self.code = list(struct.iter_unpack("<HBBI", program))

    def run(self, seccomp_data: bytes) -> int:
        """The SECCOMP_RET_* value."""
        words = struct.unpack("<16I", seccomp_data)
        code, accumulator, place = self.code, 0, 0
        while True:
            operation, yes, no, value = code[place]
            place += 1
            if operation == 0x15:
                place += yes if accumulator == value else no
            elif operation == 0x35:
                place += yes if accumulator >= value else no
            elif operation == 0x25:
                place += yes if accumulator > value else no
            elif operation == 0x06:
                return value
            elif operation == 0x20:
                accumulator = words[value // 4]
            elif operation == 0x54:
                accumulator &= value
            elif operation == 0x05:
                place += value
            else:
                raise AssertionError(f"instruction {operation:#x} in a filter")
