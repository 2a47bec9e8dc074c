"""The trainer's end: the only room that imports torch. It imports no web framework."""
