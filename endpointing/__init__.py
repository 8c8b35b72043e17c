"""End-pointing: when the speaker has finished."""
