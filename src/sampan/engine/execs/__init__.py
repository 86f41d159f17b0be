"""Execs: further processes in a running container, one verb a file."""
