"""livegrad shows a real PyTorch training loop from the inside, live."""

__version__ = "0.1.0"
