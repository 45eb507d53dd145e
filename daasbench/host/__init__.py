"""The machine or node: its observed facts, the limits that it sets, and how processes are started on it."""
