"""Networks: pure tensor modules that know nothing of videos, files or trackers."""
