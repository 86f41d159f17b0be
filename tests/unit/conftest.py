"""For all unit tests: Hypothesis gives every example the time it takes, so that a busy machine fails none."""

from hypothesis import HealthCheck, settings

settings.register_profile("unit", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")
