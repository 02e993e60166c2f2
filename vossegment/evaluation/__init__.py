"""Scoring: measures, benchmarks, runs and reports."""
