"""Data sets as sequences: one loader a file."""
