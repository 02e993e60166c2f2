"""The command line: one file a subcommand, no tensor touched here."""
