"""What a tape is asked: where a gradient ends, where a NaN began, what is held, what costs most, what differs."""
