"""The YAML, the plan, the run, the lock."""
