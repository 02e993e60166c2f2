"""Weights files: where they lie, and how they are opened safely."""
