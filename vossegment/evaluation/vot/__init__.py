"""VOT: supervised runs, their measures and files, the official toolkit, the representation table."""
