"""Parametrised quantum circuits: as data (`ansatz`), simulated (`statevector`), and as a layer of a network (`layer`).

The circuits are simulated on the machine that trains the network; `pennylane_backend` runs the same ones elsewhere.
This module imports nothing, so that a circuit can be described without loading torch.
"""
