"""Job tracking: what was sent, what came back, how long it may take, and what it may cost."""
