"""Training: recipes, samples, targets, losses, the engine."""
