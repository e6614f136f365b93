"""How fast bocpy-boids goes, for the overlay and for the last line."""

from __future__ import annotations

import time
from collections import deque

SPAN = 1.0  # seconds that the overlay looks back


class Meter:
    """Counts frames, and the behaviors that each took."""

    def __init__(self, boids: int) -> None:
        self.boids = boids
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self.frames = 0
        self.behaviors = 0
        self._begun = time.perf_counter()
        self._recent: deque[tuple[float, int]] = deque([(self._begun, 0)])

    def frame(self, behaviors: int) -> None:
        """A frame is ready; it took so many behaviors."""
        now = time.perf_counter()
        self.frames += 1
        self.behaviors += behaviors
        self._recent.append((now, behaviors))
        while len(self._recent) > 2 and now - self._recent[0][0] > SPAN:
            self._recent.popleft()

    def overlay(self) -> str:
        """Frames and behaviors per second of late, once there are some."""
        (begun, _), *frames = self._recent
        if not frames:
            return f"{self.boids} boids"
        seconds = max(frames[-1][0] - begun, 1e-9)
        behaviors = sum(behaviors for _, behaviors in frames)
        return f"{self.boids} boids  {behaviors / seconds:,.0f} behaviors/s  {len(frames) / seconds:.1f} fps"

    def average(self) -> str:
        """What all frames took so far."""
        seconds = max(time.perf_counter() - self._begun, 1e-9)
        return (
            f"{self.frames} frames in {seconds:.1f} s, on average "
            f"{self.behaviors / seconds:,.0f} behaviors/s and {self.frames / seconds:.1f} frames/s"
        )
