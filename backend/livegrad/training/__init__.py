"""The trainer's end. torch lives here and nowhere else; no web framework."""
