"""What else runs a circuit: PennyLane, Qiskit Aer, fake and real IBM machines."""
