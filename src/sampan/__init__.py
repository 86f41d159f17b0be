"""Sampan: a container platform compatible with Docker."""

__version__ = "0.1.0"
