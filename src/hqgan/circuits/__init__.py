"""Parametrised quantum circuits: as data (`ansatz`), simulated (`engines`), and as a layer of a network (`layer`).

Circuits are simulated on the machine that trains the network; `backends` run them on PennyLane, Qiskit and IBM's machines.
This module imports nothing, so that a circuit can be described without loading torch.
"""
