"""The web's end. FastAPI; no torch."""
