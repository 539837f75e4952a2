"""What the solvers raise for a matrix that has no inverse."""

__all__ = ["SingularMatrixError"]


class SingularMatrixError(ArithmeticError):
    """A linear system that has no single solution."""
