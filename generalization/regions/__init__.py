"""Linear regions of networks: their boundaries along curves, and the units active in them.

A breakpoint is a point of a curve at which the network is not affine along the curve. Its
*coordinate* is the index of the vertex before it, counted through all curves, plus the fraction of
the way to the next vertex.

Args:
    coordinates: Ascending positions of the breakpoints.
    vertices: Two or more vertices per polyline; it is closed if the first one is repeated as last.
    points: Number of points sampled on each curve.
    ends: Indices of the breakpoints that end a curve, which no edge joins to the next one.
    network: A stack of one, with a piecewise-linear activation, in the dtype of the vertices.
    ellipses: Center, cosine axis and sine axis of each ellipse.
    layer: Index of a hidden layer, from 0 to depth − 2.
    module: A module for which ``can_be_followed`` holds, in eval mode, in the dtype of the
        vertices.
    record: Callback that receives what was found, for one block of breakpoints at a time.
"""
