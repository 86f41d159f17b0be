"""Reading container logs: from the beginning or the end, once or for as long as the container runs."""

from sampan.engine.logs.stream import LogsRequest, LogStream
from sampan.engine.logs.watch import DirectoryWatcher

__all__ = ["DirectoryWatcher", "LogStream", "LogsRequest"]
