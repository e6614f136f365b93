"""Pictures of bocpy-boids as bytes: a small software painter, which needs no display and no other package."""

from __future__ import annotations

import colorsys
import math

from bocpy import Matrix
from bocpy.examples._boids_flock import COLORS

BACKGROUND = (12, 16, 32)
INK = (235, 235, 235)

#: One for each heading, as (red, green, blue) from 0 to 255.
PALETTE = [tuple(round(255 * part) for part in colorsys.hsv_to_rgb(i / COLORS, 0.55, 1.0)) for i in range(COLORS)]

# 5 by 7 dots for what the overlay has to say; the five lowest bits of each number are a line.
_GLYPH_WIDTH, _GLYPH_HEIGHT = 5, 7
_GLYPHS = {
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
    "a": (0, 0, 14, 1, 15, 17, 15),
    "b": (16, 16, 22, 25, 17, 17, 30),
    "d": (1, 1, 13, 19, 17, 17, 15),
    "e": (0, 0, 14, 17, 31, 16, 14),
    "f": (6, 9, 8, 28, 8, 8, 8),
    "h": (16, 16, 22, 25, 17, 17, 17),
    "i": (4, 0, 12, 4, 4, 4, 14),
    "o": (0, 0, 14, 17, 17, 17, 14),
    "p": (0, 0, 30, 17, 30, 16, 16),
    "r": (0, 0, 22, 25, 16, 16, 16),
    "s": (0, 0, 14, 16, 14, 1, 30),
    "v": (0, 0, 17, 17, 17, 10, 4),
    "/": (1, 1, 2, 4, 8, 16, 16),
    ".": (0, 0, 0, 0, 0, 12, 12),
    ",": (0, 0, 0, 0, 12, 4, 8),
    " ": (0, 0, 0, 0, 0, 0, 0),
}
_DOT = 2  # pixels
TEXT_MARGIN = 8


def text_lines(text: str) -> list[bytes]:
    """The text as lines of pixels from top to bottom, 1 where there is ink.

    :raises KeyError: for a character that has no glyph.
    """
    lines = []
    for row in range(_GLYPH_HEIGHT):
        dots = bytearray()
        for character in text:
            bits = _GLYPHS[character][row]
            for bit in range(_GLYPH_WIDTH - 1, -2, -1):  # one more, between the letters
                dots += bytes([bits >> bit & 1 if bit >= 0 else 0]) * _DOT
        lines += [bytes(dots)] * _DOT
    return lines


def paint(picture: Matrix, width: int, height: int, text: str = "") -> bytearray:
    """The triangles of a picture as `outlines` makes it, y upwards, and a text in the upper left corner.

    :returns: rows of pixels from top to bottom, each pixel of three bytes: red, green and blue.
    """
    pixels = bytearray(BACKGROUND) * (width * height)
    for row in range(picture.rows):
        *corners, color = picture.view[row]
        _triangle(pixels, width, height, corners, bytes(PALETTE[int(color)]))
    _text(pixels, width, height, text)
    return pixels


def _triangle(pixels: bytearray, width: int, height: int, corners: list[float], color: bytes) -> None:
    """Fill every pixel whose middle is inside."""
    (ax, ay), (bx, by), (cx, cy) = zip(corners[::2], corners[1::2], strict=True)
    sides = ((ax, ay, bx, by), (bx, by, cx, cy), (cx, cy, ax, ay))
    low, high = min(ay, by, cy), max(ay, by, cy)
    for line in range(max(0, math.ceil(low - 0.5)), min(height, math.ceil(high - 0.5))):
        y = line + 0.5
        # It crosses two of the sides, each of which has its lower end but not its upper one.
        crossed = [x0 + (y - y0) * (x1 - x0) / (y1 - y0) for x0, y0, x1, y1 in sides if (y0 <= y) != (y1 <= y)]
        begin = max(0, math.ceil(min(crossed) - 0.5))
        end = min(width, math.ceil(max(crossed) - 0.5))
        if begin < end:
            at = 3 * ((height - 1 - line) * width + begin)
            pixels[at : at + 3 * (end - begin)] = color * (end - begin)


def _text(pixels: bytearray, width: int, height: int, text: str) -> None:
    for number, line in enumerate(text_lines(text)[: max(0, height - TEXT_MARGIN)]):
        for column, dot in enumerate(line[: max(0, width - TEXT_MARGIN)]):
            if dot:
                at = 3 * ((TEXT_MARGIN + number) * width + TEXT_MARGIN + column)
                pixels[at : at + 3] = bytes(INK)
