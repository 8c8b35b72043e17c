"""Interpolated modified Kneser-Ney, written down as the formulas say: slow, with dictionaries."""

from collections import Counter, defaultdict


class Reference:
    def __init__(self, sentences: list[list[str]], vocabulary: list[str], order: int, discounts_of) -> None:
        self.order = order
        self.vocabulary = [*vocabulary, "</s>"]
        raw: list[Counter] = [Counter() for _ in range(order + 1)]
        for sentence in sentences:
            words = ["<s>", *sentence, "</s>"]
            for n in range(1, order + 1):
                for i in range(len(words) - n + 1):
                    raw[n][tuple(words[i : i + n])] += 1
        while not raw[self.order]:
            self.order -= 1
        self.counts: list[Counter] = [Counter() for _ in range(self.order + 1)]
        self.counts[self.order] = raw[self.order]
        for n in range(1, self.order):
            before = defaultdict(set)
            for gram in raw[n + 1]:
                before[gram[1:]].add(gram[0])
            self.counts[n] = Counter({gram: raw[n][gram] if gram[0] == "<s>" else len(before[gram]) for gram in raw[n]})
        self.counts[1].pop(("<s>",), None)
        self.discounts = [None, *(discounts_of(list(self.counts[n].values())) for n in range(1, self.order + 1))]

    def probability(self, history: tuple[str, ...], word: str) -> float:
        history = history[-(self.order - 1) :] if self.order > 1 else ()
        return self._interpolated(history, word)

    def _interpolated(self, history: tuple[str, ...], word: str) -> float:
        n = len(history) + 1
        counts, discounts = self.counts[n], self.discounts[n]
        seen = {gram[-1]: count for gram, count in counts.items() if gram[:-1] == history}
        total = sum(seen.values())
        if not total:
            return self._interpolated(history[1:], word)
        lower = self._interpolated(history[1:], word) if history else 1 / len(self.vocabulary)
        taken = sum(discounts[min(count, 3)] for count in seen.values())
        own = seen.get(word, 0)
        return (own - discounts[min(own, 3)]) / total + taken / total * lower
