"""What goes out: one file a format, one protocol, one registry."""
