// Sound and end-pointers over the last ten seconds, in seconds of the stream's audio.

const SECONDS = 10;
const canvas = document.getElementById("timeline");

export class Timeline {
  constructor() {
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear() {
    this.levels = [];
    this.marks = [];
    this.words = [];
    this.now = 0;
    this.draw();
  }

  level(level, seconds) {
    if (seconds < this.now - 1) this.clear();
    this.now = Math.max(this.now, seconds);
    this.levels.push({ level, seconds });
    while (this.levels.length && this.levels[0].seconds < this.now - SECONDS - 1) this.levels.shift();
    this.draw();
  }

  event(event) {
    if (event.time < this.now - SECONDS) this.clear();
    this.now = Math.max(this.now, event.time);
    if (event.type !== "partial") this.marks.push({ type: event.type, time: event.time });
    if (event.words) {
      this.words = this.words.filter((word) => word.utterance !== event.utterance);
      this.words.push(...event.words.map((word) => ({ ...word, utterance: event.utterance })));
    }
    const oldest = this.now - SECONDS - 1;
    this.marks = this.marks.filter((mark) => mark.time > oldest);
    this.words = this.words.filter((word) => word.end > oldest);
    this.draw();
  }

  draw() {
    const scale = devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const end = Math.max(this.now, SECONDS);
    const x = (time) => width - ((end - time) / SECONDS) * width;
    const top = 30, bottom = height - 34;

    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = colour("soft");
    pen.strokeStyle = colour("line");
    pen.textAlign = "center";
    for (let second = Math.ceil(end - SECONDS); second <= end; second += 2) {
      pen.beginPath(); pen.moveTo(x(second), top); pen.lineTo(x(second), bottom); pen.stroke();
      if (x(second) > 12 && x(second) < width - 12) pen.fillText(`${second} s`, x(second), height - 4);
    }
    pen.fillStyle = colour("unsure");
    for (const { level, seconds } of this.levels) {
      const share = Math.max(0.02, Math.min(1, (level + 65) / 60));
      const tall = share * (bottom - top);
      pen.fillRect(x(seconds) - 2, (top + bottom - tall) / 2, 3, tall);
    }
    pen.fillStyle = colour("ink");
    let right = -Infinity, left = false;
    for (const word of [...this.words].sort((a, b) => a.start - b.start)) {
      const half = pen.measureText(word.word).width / 2;
      const wanted = x((word.start + word.end) / 2);
      const middle = Math.max(wanted, right + half + 4);
      if (middle - half < 0) continue;
      if (middle - wanted > 24) {
        // no room for it: that one is left out is shown, once for several
        if (!left) pen.fillText("…", right + 8, bottom + 15);
        right = left ? right : right + 14;
        left = true;
        continue;
      }
      pen.fillText(word.word, middle, bottom + 15);
      right = middle + half;
      left = false;
    }
    for (const { type, time } of this.marks) this.mark(pen, type, x(time), top, bottom, colour);
  }

  mark(pen, type, place, top, bottom, colour) {
    const name = { speech_started: "speech", speculative_final: "speculative", reset: "reset", final: "final" }[type];
    if (!name) return;
    pen.strokeStyle = pen.fillStyle = colour(name);
    pen.lineWidth = 2;
    pen.setLineDash(name === "speculative" ? [4, 3] : []);
    pen.beginPath(); pen.moveTo(place, top - 4); pen.lineTo(place, bottom); pen.stroke();
    pen.setLineDash([]);
    pen.beginPath();
    if (name === "reset") {
      pen.moveTo(place - 5, top - 17); pen.lineTo(place + 5, top - 7);
      pen.moveTo(place + 5, top - 17); pen.lineTo(place - 5, top - 7);
      pen.stroke();
    } else {
      pen.arc(place, top - 11, 5, 0, 2 * Math.PI);
      if (name === "final") pen.fill();
      pen.stroke();
    }
    pen.lineWidth = 1;
  }
}
