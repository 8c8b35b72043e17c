"""A streaming high-pass: what lies below a voice, taken out of audio.

Microphones with an offset, hum, wind and handling put energy where no voice is. A Butterworth filter by the bilinear
transform, as sections of second order, runs whole frames at once: what a frame adds to its own output and what the
state before it adds are products with matrices that never change.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16000
LONGEST_BLOCK = 80
"""Samples that one product takes at most."""
Matrix = npt.NDArray[np.float32]


class HighPass:
    """Takes frames of audio and keeps its state between them."""

    def __init__(self, hertz: float, order: int) -> None:
        """Begin in silence.

        Args:
            hertz: where a sine loses 3 decibels; an octave lower it loses six times ``order``.
            order: an even number.
        """
        self._hertz, self._order = hertz, order
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._state: Matrix = np.zeros(self._order, np.float32)
        self._rows: Matrix = np.zeros((0, 0), np.float32)

    def accept(self, frame: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Take the next frame and return what is left of it, both [samples] float32.

        Frames are mostly of one length: for each length matrices are kept.
        """
        outputs, states, block = _matrices(self._hertz, self._order, len(frame))
        rows = self._rows
        if rows.size != len(states):
            rows = self._rows = np.zeros((len(frame) // block, block + self._order), np.float32)
        rows[:, :block] = frame.reshape(-1, block)
        rows[0, block:] = self._state
        after = rows.reshape(-1).dot(states).reshape(len(rows), -1)
        rows[1:, block:] = after[:-1]
        self._state = after[-1]
        out: Matrix = rows.dot(outputs)  # sooner begun than @
        return out.reshape(-1)


def _sections(hertz: float, order: int) -> list[tuple[float, float, float]]:
    """Return gain and the two coefficients of the output's past of each section; all have both zeros at 0 Hz."""
    turn = 2 * math.pi * hertz / SAMPLE_RATE
    cosine = math.cos(turn)
    sections = []
    for number in range(order // 2):
        quality = 1 / (2 * math.sin((2 * number + 1) * math.pi / (2 * order)))
        damping = math.sin(turn) / (2 * quality)
        scale = 1 + damping
        sections.append(((1 + cosine) / 2 / scale, -2 * cosine / scale, (1 - damping) / scale))
    return sections


@lru_cache(maxsize=16)
def _matrices(hertz: float, order: int, samples: int) -> tuple[Matrix, Matrix, int]:
    """Return what makes the output of blocks, what makes the states after them, and how long a block is.

    A row is a block and the state before it, [block + order]. The first matrix makes its output of it, [block + order,
    block]. The second makes the states after every block of a frame, [blocks * order], of all its rows, [blocks *
    (block + order)]; of the states before blocks it takes that of the first alone.
    """
    block = next(size for size in range(min(LONGEST_BLOCK, samples), 0, -1) if samples % size == 0)
    blocks = samples // block
    # a row for each sample of a block and each number of the state, as if that alone were 1
    inputs, state = np.eye(block + order, block), np.eye(block + order, order, -block)
    out = np.empty_like(inputs)
    sections = _sections(hertz, order)
    for place in range(block):
        value = inputs[:, place]
        for number, (gain, first, second) in enumerate(sections):
            result = gain * value + state[:, 2 * number]
            state[:, 2 * number] = -2 * gain * value - first * result + state[:, 2 * number + 1]
            state[:, 2 * number + 1] = gain * value - second * result
            value = result
        out[:, place] = value
    driven, kept = state[:block], state[block:]
    states = np.zeros((blocks, block + order, blocks, order))
    power = np.eye(order)
    for distance in range(blocks):
        for place in range(blocks - distance):
            states[place, :block, place + distance] = driven @ power
        power = power @ kept
        states[0, block:, distance] = power
    return out.astype(np.float32), states.reshape(samples + blocks * order, -1).astype(np.float32), block
