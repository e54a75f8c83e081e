"""From requirements to wheels: sources, resolving, the lock, indexes, the store, builders."""
