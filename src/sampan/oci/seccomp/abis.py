"""The ABIs that programs call the kernel by, as a filter sees them: struct seccomp_data names one by `arch` and `nr`.

x32 shares x86_64's `arch`; bit 30 of the number tells them apart. Arguments of a 32-bit ABI are compared by their low
halves only, as libseccomp does: nothing else is defined there.
On i386 a socket or System V IPC operation comes in two ways: directly, and as the first argument of `socketcall(2)` or
`ipc(2)`. A rule for one holds for both.
Spec        linux/audit.h (AUDIT_ARCH_*); linux/net.h and linux/ipc.h (numbers of operations).
"""

X32_BIT = 0x40000000


class Abi:
    """One ABI.

    name        as OCI names it
    audit       `arch` in struct seccomp_data
    table       its table in `numbers`
    is_64_bit   whole registers are arguments
    bit         what is or-ed to numbers of its table
    operations  name to (multiplexer's number, operation) for what has two ways in
    """

    __slots__ = ("audit", "bit", "is_64_bit", "name", "operations", "table")

    def __init__(
        self,
        name: str,
        *,
        audit: int,
        table: str,
        is_64_bit: bool,
        bit: int = 0,
        operations: "dict[str, tuple[int, int]] | None" = None,
    ) -> None:
        self.name = name
        self.audit = audit
        self.table = table
        self.is_64_bit = is_64_bit
        self.bit = bit
        self.operations = operations or {}


def _multiplexed() -> "dict[str, tuple[int, int]]":
    socket_names = (
        "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown"
        " setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg"
    ).split()
    found = {name: (_SOCKETCALL, operation) for operation, name in enumerate(socket_names, 1)}
    for first, names in (
        (1, "semop semget semctl semtimedop"),
        (11, "msgsnd msgrcv msgget msgctl"),
        (21, "shmat shmdt shmget shmctl"),
    ):
        found.update({name: (_IPC, operation) for operation, name in enumerate(names.split(), first)})
    return found


_SOCKETCALL, _IPC = 102, 117

X86_64 = Abi("SCMP_ARCH_X86_64", audit=0xC000003E, table="x86_64", is_64_bit=True)
X32 = Abi("SCMP_ARCH_X32", audit=0xC000003E, table="x32", is_64_bit=False, bit=X32_BIT)
X86 = Abi("SCMP_ARCH_X86", audit=0x40000003, table="x86", is_64_bit=False, operations=_multiplexed())
AARCH64 = Abi("SCMP_ARCH_AARCH64", audit=0xC00000B7, table="aarch64", is_64_bit=True)
ARM = Abi("SCMP_ARCH_ARM", audit=0x40000028, table="arm", is_64_bit=False)

FAMILIES = ((X86_64, X32, X86), (AARCH64, ARM))
ABIS = {abi.name: abi for family in FAMILIES for abi in family}
# Known names, but no machine of ours runs their programs.
FOREIGN = frozenset(
    f"SCMP_ARCH_{name}"
    for name in (
        "MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE RISCV64 S390 S390X PARISC PARISC64 M68K SH"
        " LOONGARCH64"
    ).split()
)
# By the machine's name as uname(2) tells it.
NATIVE = {"x86_64": X86_64, "i686": X86, "i386": X86, "aarch64": AARCH64, "armv7l": ARM, "armv8l": ARM}
