"""`mini`: the embedded still model.

`architecture` holds its numbers, `network` builds it in torch, `graph` writes it as ONNX, and
`adapter` gives both the manners of `vscolor.models.base`. The build imports this package on its
own, before vscolor is installed, so nothing is imported here.
"""
