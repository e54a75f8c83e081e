"""What the user wrote: the project, its configuration, and the files that go along."""
