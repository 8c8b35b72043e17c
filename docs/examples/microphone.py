"""Words from the microphone until Ctrl-C: python microphone.py [DEVICE]."""

import contextlib
import sys

from nearword.models.errors import NearwordError
from nearword.runtime import Final, Microphone, Partial, Recognizer, blocks_of, load_model


def main() -> None:
    recognizer = Recognizer(load_model())
    microphone = Microphone(sys.argv[1] if len(sys.argv) > 1 else None)
    events = []
    try:
        with contextlib.closing(blocks_of(microphone)) as blocks:
            for samples in blocks:
                for event in recognizer.accept(samples):
                    if isinstance(event, Partial):
                        print(f"\r{event.text}", end="", flush=True)
                    elif isinstance(event, Final) and event.text:
                        print(f"\r{event.text}.")
    except KeyboardInterrupt:
        events = recognizer.finish()  # what was being said gets its final
    except NearwordError as error:
        sys.exit(str(error))
    for event in events:
        if isinstance(event, Final) and event.text:
            print(f"\r{event.text}.")


if __name__ == "__main__":
    main()
