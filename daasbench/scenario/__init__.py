"""From a TOML file to a plan: the scenario, its platforms, its grid of cases, and their jobs."""
