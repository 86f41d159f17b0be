"""Containers: what they are (`record`, `states`, `registry`) and what can be done to them, one verb a file."""
