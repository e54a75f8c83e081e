"""What Azure runs: runtimes, tags and markers of the target."""
