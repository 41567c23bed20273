"""What data tells of its own faults: one module per question, see `verification`."""
