"""The share of a visit in a cell's work, and its seed."""

from __future__ import annotations

from typing import NamedTuple


class Share(NamedTuple):
    """Which piece of a cell's soak a visit is; numbers count from 0."""

    shard: int = 0
    shards: int = 1
    round: int = 0
    rounds: int = 1

    @property
    def alone(self) -> bool:
        return self.shards == self.rounds == 1

    @property
    def proves(self) -> bool:
        return self.shard == 0 and self.round == 0

    def seed(self, base: int) -> int:
        """The visit's own seed; the first one's is ``base`` itself."""
        if self.proves:
            return base
        # Imported only here, because it loads OpenSSL.
        from hashlib import blake2b

        text = f"{base} {self.shard} {self.round}"
        return int.from_bytes(blake2b(text.encode(), digest_size=6).digest(), "big")

    def __str__(self) -> str:
        """``[shard 1/4]``, ``[round 2/9]``, both or nothing."""
        parts = [f"shard {self.shard + 1}/{self.shards}"] if self.shards > 1 else []
        parts += [f"round {self.round + 1}/{self.rounds}"] if self.rounds > 1 else []
        return f"[{' '.join(parts)}]" if parts else ""
