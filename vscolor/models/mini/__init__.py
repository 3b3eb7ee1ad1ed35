"""`mini`: the embedded still model.

`architecture` holds its constants, `network` builds it in torch, `graph` writes it as ONNX, and
`adapter` adapts both to the interfaces of `vscolor.models.base`. The build imports this package
alone, before vscolor is installed, so nothing is imported here.
"""
