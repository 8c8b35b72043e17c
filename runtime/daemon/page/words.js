// Words as they come: light while they may change, full once they stay.

const element = document.getElementById("words");

export function show(event, spelled) {
  element.className = event.type === "final" ? "final" : event.type === "speculative_final" ? "probable" : "";
  const recognised = event.words.map((word) => word.word);
  const settled = event.type === "partial" ? event.stable : recognised.length;
  const parts = spelled ? pieces(recognised, spelled) : recognised.map((text) => ({ text, name: false }));
  element.replaceChildren(
    ...parts.flatMap((part, index) => {
      const span = document.createElement("span");
      span.textContent = part.text;
      if (index < settled) span.classList.add("stable");
      if (part.name) span.classList.add("name");
      return index ? [" ", span] : [span];
    }),
  );
}

export function clear() {
  element.replaceChildren();
  element.className = "";
}

/** The spelled text, in which what differs from the words is a name. */
function pieces(words, spelled) {
  const known = new Set(words);
  return spelled.split(" ").map((text) => ({ text, name: !known.has(text) }));
}
