"""System call filters: from the OCI config's `linux.seccomp` to a program for seccomp(2)."""

from sampan.oci.seccomp.compiler import Filter, compile_filter

__all__ = ["Filter", "compile_filter"]
