"""A repository with several function apps: which there are, and which a change concerns."""
