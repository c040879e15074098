"""Linear regions of networks: where they end, along which curves, and what is active in them.

Args:
    places: Of the breakpoints, ascending. Neighbours on one curve are joined.
    vertices: Of every polyline, two or more; it is closed if the last is the first once more.
    apart: Breakpoints that are not joined to the next one.
    network: A stack of one, with a piecewise-linear activation, in the dtype of the vertices.
    ellipses: Center, cosine axis and sine axis of each.
    layer: From 0 to depth − 2.
    module: For which ``can_be_followed`` holds, in eval mode, in the dtype of the vertices.
    tell: Called with what is found, for a piece of the breakpoints at a time.
"""
