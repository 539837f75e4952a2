"""The parts of the command line: its options, the user's own function, the job, the report."""
