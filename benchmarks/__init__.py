"""What livegrad promises about speed, measured. `python -m benchmarks` prints the table."""
