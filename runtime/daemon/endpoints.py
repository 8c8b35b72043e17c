"""End-pointers whose settings change while they listen: from the next utterance on."""

from ...endpointing import EndpointSettings, EndReason, Evidence, FinalEndpointer, SpeculativeEndpointer


class LiveEndpoints:
    """Settings that two end-pointers share."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        """May be put in place anew, from any thread."""
        self.speculative = _Speculative(self)
        self.final = _Final(self)


class _Speculative:
    def __init__(self, shared: LiveEndpoints) -> None:
        self._shared = shared
        self._used = shared.settings
        self._pointer = SpeculativeEndpointer(self._used)

    def update(self, evidence: Evidence) -> bool:
        """Return whether the utterance has probably ended."""
        return self._pointer.update(evidence)

    def reset(self) -> None:
        """Begin anew, with the settings as they are now."""
        if self._used is self._shared.settings:
            self._pointer.reset()
        else:
            self._used = self._shared.settings
            self._pointer = SpeculativeEndpointer(self._used)


class _Final:
    def __init__(self, shared: LiveEndpoints) -> None:
        self._shared = shared
        self._used = shared.settings
        self._pointer = FinalEndpointer(self._used)

    def update(self, evidence: Evidence) -> EndReason | None:
        """Return why the utterance has ended, or None."""
        return self._pointer.update(evidence)

    def reset(self) -> None:
        """Begin anew, with the settings as they are now."""
        if self._used is self._shared.settings:
            self._pointer.reset()
        else:
            self._used = self._shared.settings
            self._pointer = FinalEndpointer(self._used)
