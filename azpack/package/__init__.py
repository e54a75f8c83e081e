"""From files and wheels to a zip, and the manifest beside it."""
