"""The two names of a parameter: `hidden_linear.weight` and `0.weight`. PURE."""

LAYERS = (("hidden_linear", "0"), ("output_linear", "2"))


def other_name(name: str) -> str:
    """Return the numbered form of a named parameter's name, or the named form of a numbered one."""
    layer, _, rest = name.partition(".")
    for named, numbered in LAYERS:
        if layer == named:
            return f"{numbered}.{rest}"
        if layer == numbered:
            return f"{named}.{rest}"
    return name
