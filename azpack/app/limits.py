"""How much of an app is looked into: far more than real ones have, and what takes a few seconds.

A package may be made to take for ever, or all memory. What is beyond a limit is not looked into,
and a finding says so. Memory and time are of CPython 3.11.
"""

from __future__ import annotations

__all__ = [
    "LARGEST_JSON",
    "LONGEST_NAME",
    "MOST_CODE",
    "MOST_FUNCTIONS",
    "MOST_IMPORTS",
    "MOST_JSON",
    "MOST_STEPS",
    "MOST_TOKENS",
    "MOST_TOKENS_KEPT",
    "MOST_TOKENS_OF_MODULE",
]

# Bytes of host.json or of a function.json, of which large ones have a hundredth, and of all of
# them. A value takes up to 200 bytes of memory for each of its text.
LARGEST_JSON = 512 << 10
MOST_JSON = 2 << 20

# Folders with a function.json; who has some hundred functions has many.
MOST_FUNCTIONS = 2_000

# Bytes of all modules of an app, which are kept: two thousand usual ones have half of that.
MOST_CODE = 32 << 20

# Of code that is parsed: names, numbers, operators and the like. A syntax tree takes 300 bytes for
# each, and 700 where it is made to. A megabyte of usual code has 100,000; generated code of several
# megabytes, which is text and data, has no more. Only modules that have to do with the functions,
# or import what seems to be missing, are parsed at all.
MOST_TOKENS_OF_MODULE = 200_000
MOST_TOKENS_KEPT = 250_000
MOST_TOKENS = 1_000_000

# Names that import statements have, of all modules; two thousand have some ten thousand.
MOST_IMPORTS = 300_000

# Parts of a dotted name that can be a module.
LONGEST_NAME = 64

# What is followed of the code of an app's functions, in expressions and statements; an app with
# hundreds of functions takes some ten thousand.
MOST_STEPS = 1_000_000
