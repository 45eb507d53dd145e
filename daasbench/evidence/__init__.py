"""Records joined: the tidy table, entries, claims, phases, and limits of the machine."""
