"""Second derivatives of the Hamiltonian, in all the ways in which it may follow sites that move.

Each pair of coordinates gets a half B of d^2H/dQ_I dQ_J = B + B^+: hoppings in one direction,
the upper triangles of onsite blocks with half of their diagonals.
"""
