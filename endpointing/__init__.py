"""End-pointing: when has the speaker finished?"""
