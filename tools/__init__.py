"""Programs for the work on azpack; none is part of it."""
