"""Sources of frames: the only place that imports av for reading."""
