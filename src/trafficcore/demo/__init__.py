"""RING 4: the four policies over real HTTP on loopback, each shown beside what it must show."""

__all__: list[str] = []
