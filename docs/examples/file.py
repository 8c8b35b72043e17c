"""Words of a recording with times, and what may have been said instead: python file.py RECORDING."""

import sys

from nearword.lattice import n_best
from nearword.models import stream_audio
from nearword.models.errors import NearwordError
from nearword.runtime import Segmenter, load_model


def main(path: str) -> None:
    segmenter = Segmenter(load_model())
    try:
        for samples in stream_audio(path):
            segmenter.accept(samples)
    except NearwordError as error:
        sys.exit(str(error))
    for word in segmenter.finish().words:
        print(f"{word.start:7.2f} {word.end:7.2f} {word.confidence:5.2f} {word.text}")
    for number, lattice in enumerate(segmenter.lattices, 1):
        others = [path.text for path in n_best(lattice, 4)][1:]
        print(f"utterance {number}, or perhaps: {' / '.join(others)}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
