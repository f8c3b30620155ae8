"""What filters and functions ask of an operator."""

from __future__ import annotations


class Requirements:
    """Questions to the shape and the flags of an operator."""

    @property
    def square(self) -> bool:
        """Whether rows and columns are the same nodes, so that A^2 and I + A have a meaning."""
        return self.shape[1] == self.shape[2]

    def require_square(self, what: str) -> None:
        """Raises ValueError that says what needs a square operator."""
        if not self.square:
            raise ValueError(
                f"{what} needs a square operator; this one has {self.shape[1]} rows and "
                f"{self.shape[2]} columns (pooled keys: subsample, or the affinity). Allowed "
                "there: the adjacency filter"
            )

    def require_symmetric(self, what: str) -> None:
        """Raises ValueError that says what needs a symmetric operator."""
        self.require_square(what)
        if not self.symmetric:
            raise ValueError(
                f"{what} needs a symmetric operator (real eigenvalues); {type(self).__name__} is "
                "not known to be one. Allowed: symmetrize=True with normalize=None or 'sym'"
            )

    def require_bounded(self, what: str) -> None:
        """Raises ValueError that says what needs a spectral radius of at most 1."""
        self.require_square(what)
        if not self.bounded:
            raise ValueError(
                f"{what} needs an operator of spectral radius <= 1; that of "
                f"{type(self).__name__} is not known. Allowed: normalize='sym' or 'rw', softmax "
                "affinities; bounded=True for a matrix of which you know it"
            )
