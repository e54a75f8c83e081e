"""Checks: what is wrong with an app or a package before it is published."""
