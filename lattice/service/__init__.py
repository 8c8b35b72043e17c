"""The server that rescores lattices, and the language models behind it."""
