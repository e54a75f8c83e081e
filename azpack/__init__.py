"""Package Python apps for Azure Functions."""

__version__ = "0.1.0"
