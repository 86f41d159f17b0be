"""Container logs at rest: the codec of Docker's json-file format and the rotating file; no asyncio, no containers."""
