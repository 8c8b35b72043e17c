"""Audio to words and events: encoder stream, decode loop, second pass, utterances."""
