"""How a prepared network runs: folding, layout, precision, threads."""
