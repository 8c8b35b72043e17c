#!/bin/sh
# Draws the README's two lattices anew, as the bundled model hears them:
#     NEARWORD_SPEECH=folder docs/draw-lattices.sh
# The first is the recording in the package, the second a real order ("can i have a single shot mocha") of dev/barista.
set -eu
cd "$(dirname "$0")/.."
order=c3960150
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
nearword transcribe --lattice-dir "$folder" runtime/audio/demo.flac "$NEARWORD_SPEECH"/dev/barista/$order*.flac
nearword lattice draw "$folder"/demo-1.nwl docs/lattice-demo.svg --beam 5 --max-arcs 30
nearword lattice draw "$folder"/$order*-1.nwl docs/lattice-order.svg --max-arcs 24
