"""Video object segmentation: give it a video and a box, get the exact mask in every frame."""
