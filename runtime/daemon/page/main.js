// Puts the page together: what this microphone hears, or else what goes on in all streams.

import * as connection from "/page/connection.js";
import * as lattice from "/page/lattice.js";
import * as words from "/page/words.js";
import { Microphone } from "/page/microphone.js";
import { Timeline } from "/page/timeline.js";

const KEPT = 20;
const by = (id) => document.getElementById(id);
const timeline = new Timeline();
let microphone = null;
let model = "";
let watched = null;
let speculative = null;
let roundTrip = null;

const ROWS = [
  ["recogniser", "Recogniser", "from the arrival of the last sound it needed to the result"],
  ["probably", "Probably ended", "after the last word"],
  ["ended", "Ended", "after the last word"],
  ["gained", "Head start", "probably ended before ended"],
  ["confirmed", "Guess", "of the first end-pointer"],
  ["round", "Browser and back", "a message and its answer"],
];

function status(text, state) {
  by("status").textContent = text;
  by("status").dataset.state = state;
}

function measure(values) {
  for (const [key, value] of Object.entries(values)) {
    const field = document.querySelector(`[data-row="${key}"]`);
    field.textContent = value ?? "–";
  }
}

function milliseconds(seconds) {
  return seconds === null || seconds === undefined ? "–" : `${Math.round(1000 * seconds)} ms`;
}

function heard(event, { spelled, delay, protocol, took }) {
  by("hint").hidden = true;
  timeline.event(event);
  if (event.type === "speech_started") {
    words.clear();
    speculative = null;
  }
  if (event.words) words.show(event, spelled);
  if (event.type === "speculative_final" || event.type === "final") stages(took);
  const last = event.words?.at(-1)?.end;
  if (event.type === "speculative_final") {
    speculative = event;
    measure({ probably: milliseconds(event.time - last), recogniser: delay == null ? "–" : `${Math.round(delay)} ms` });
    if (event.lattice) lattice.draw(event.lattice);
  }
  if (event.type === "reset") {
    speculative = null;
    by("words").className = "";
    measure({ confirmed: "taken back" });
  }
  if (event.type === "final" && event.text) {
    const confirmed = event.confirms !== null && speculative;
    measure({
      ended: milliseconds(event.time - last),
      recogniser: delay == null ? "–" : `${Math.round(delay)} ms`,
      gained: confirmed ? milliseconds(event.time - speculative.time) : "–",
      confirmed: confirmed ? "right" : "none stood",
    });
    if (event.lattice) lattice.draw(event.lattice);
    remember(event, spelled ?? event.text, protocol);
  }
}

const STAGES = { features: "Features", encoder: "Encoder", search: "Search", result: "Lattice, second pass" };

/** Latest run of every stage of recognition, in the order in which they run. */
function stages(values) {
  for (const [name, took] of Object.entries(values ?? {})) {
    const key = `stage-${name}`;
    if (!document.querySelector(`[data-row="${key}"]`)) row(by("stages"), key, STAGES[name] ?? name.replaceAll("_", " "), "");
    measure({ [key]: `${took < 10 ? took.toFixed(1) : Math.round(took)} ms` });
  }
}

function row(list, key, name, says) {
  const term = document.createElement("dt");
  term.textContent = name;
  if (says) {
    const small = document.createElement("small");
    small.textContent = says;
    term.append(small);
  }
  const value = document.createElement("dd");
  value.dataset.row = key;
  value.textContent = "–";
  list.append(term, value);
}

function remember(event, text, protocol) {
  const row = document.createElement("li");
  const said = document.createElement("span");
  said.textContent = text;
  const when = document.createElement("small");
  when.textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const what = document.createElement("small");
  const sure = event.words.reduce((sum, word) => sum + word.confidence, 0) / event.words.length;
  const asked = event.command?.accepted ? `, ${event.command.intent || "command"}: ${Object.entries(event.command.slots).map(([key, value]) => `${key} ${value}`).join(", ")}` : "";
  what.textContent = `${Math.round(100 * sure)} % sure, ${protocol}${asked}`;
  what.className = "what";
  row.append(said, when, what);
  by("recent").prepend(row);
  while (by("recent").children.length > KEPT) by("recent").lastChild.remove();
}

function own(message) {
  if (message.type === "pong") {
    roundTrip = message.roundTrip;
    measure({ round: `${Math.round(roundTrip)} ms` });
  } else if (message.type === "phrases") {
    const refused = message.refused.map((one) => `${one.text}: ${one.reason}`);
    by("refused").textContent = [`${message.used} in use`, ...refused].join("; ");
  } else if (message.type === "error") {
    status(message.message, "closed");
  } else if ("utterance" in message) {
    heard(message, { spelled: message.spelled, delay: message.delay_ms, protocol: "this microphone", took: message.stage_ms });
  }
}

function other(message) {
  if (microphone) return;
  if (message.type === "closed" && message.stream === watched) watched = null;
  if (message.stream !== undefined && watched === null && message.type !== "closed") {
    watched = message.stream;
    timeline.clear();
  }
  if (message.stream !== watched) return;
  by("source").textContent = message.protocol ? `from ${message.protocol}` : "";
  if (message.type === "level") timeline.level(message.level, message.seconds);
  if (message.event) heard(message.event, { spelled: message.text || undefined, delay: message.delay, protocol: message.protocol, took: message.stages });
}

const listed = () => by("phrases").value.split("\n").map((line) => line.trim()).filter(Boolean);

async function toggle() {
  if (microphone) {
    microphone.stop();
    return;
  }
  timeline.clear();
  words.clear();
  const using = new Microphone(own, (level, seconds) => timeline.level(level, seconds), ended);
  microphone = using;
  by("microphone").setAttribute("aria-pressed", "true");
  by("microphone").textContent = "Stop listening";
  by("source").textContent = "from this microphone";
  try {
    await using.start(by("preset").value, listed());
    status(`listening, ${model}`, "listening");
  } catch (error) {
    using.stop();
    status(`no microphone: ${error.message}`, "closed");
  }
}

function ended() {
  microphone = null;
  watched = null;
  by("microphone").setAttribute("aria-pressed", "false");
  by("microphone").textContent = "Use this microphone";
  by("source").textContent = "";
  status(`ready, ${model}`, "open");
}

async function enter() {
  try {
    model = await connection.mayEnter();
  } catch (error) {
    status(`cannot be reached (${error.message})`, "closed");
    setTimeout(enter, 3000);
    return;
  }
  by("door").hidden = model !== null;
  by("microphone").disabled = model === null;
  if (model === null) {
    status("locked", "closed");
    by("token").focus();
    return;
  }
  status(`ready, ${model}`, "open");
  connection.lasting("/v1/watch", other, (state) => {
    if (!microphone) status(state === "open" ? `ready, ${model}` : "connection lost, trying again", state);
  });
}

for (const [key, name, says] of ROWS) row(by("latency"), key, name, says);
by("phrases").value = localStorage.getItem("nearword-phrases") ?? "";
by("microphone").addEventListener("click", toggle);
by("preset").addEventListener("change", () => microphone?.say({ type: "preset", preset: by("preset").value }));
by("apply").addEventListener("click", () => {
  localStorage.setItem("nearword-phrases", by("phrases").value);
  if (microphone) microphone.say({ type: "phrases", phrases: listed() });
  else by("refused").textContent = "In use as soon as this microphone listens";
});
by("door").addEventListener("submit", (event) => {
  event.preventDefault();
  connection.remember(by("token").value.trim());
  enter();
});
enter();
