"""The shipped recording, and what is said in it."""

from pathlib import Path

DEMO_TEXT = "tell my brother i am on my way set an alarm for seven"
DEMO = Path(__file__).parent.parent.parent / "runtime" / "audio" / "demo.flac"
