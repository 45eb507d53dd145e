"""The machine or node: facts that are observed, limits that are set, and how processes are started on it."""
