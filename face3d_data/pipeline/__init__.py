"""Pipelines: the YAML file, the plan, the run and the lock."""
