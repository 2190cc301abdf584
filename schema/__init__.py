"""What is said and kept, and its laws. Pure: no I/O, no clock, no logging."""
