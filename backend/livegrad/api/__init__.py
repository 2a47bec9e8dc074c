"""The web's end: FastAPI routes and the server's limits. Imports no torch and no SQL."""
