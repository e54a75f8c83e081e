"""Loading a package with Azure's own runtime library, and what came of it."""
