"""Tracking: windows, steps and label maps as tensor functions; no network is imported here."""
