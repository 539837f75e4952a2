"""What is asked of an energy, for each routine: called with one, a kernel returns its answers."""
