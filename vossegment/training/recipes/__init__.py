"""Recipes: one file a paper, every value with its source."""
