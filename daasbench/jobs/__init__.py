"""Job tracking: the jobs of a run, their time limits, their costs, and the records that they bring back."""
