// The browser's microphone, and the stream it is recognised in.

import { open } from "/page/connection.js";

export class Microphone {
  /** @param {(message: object) => void} onMessage  @param {(level: number, seconds: number) => void} onLevel */
  constructor(onMessage, onLevel, onEnd) {
    this.onMessage = onMessage;
    this.onLevel = onLevel;
    this.onEnd = onEnd;
    this.seconds = 0;
  }

  async start(preset, phrases) {
    if (!navigator.mediaDevices) {
      throw new Error("a browser gives its microphone to https and to this machine only; see --certificate");
    }
    this.media = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("/page/recorder.js");
    const source = this.context.createMediaStreamSource(this.media);
    const recorder = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0 });
    await this.connect(preset, phrases);
    recorder.port.onmessage = ({ data }) => this.send(data);
    source.connect(recorder);
    this.pinging = setInterval(() => this.ping(), 2000);
    this.ping();
  }

  connect(preset, phrases) {
    return new Promise((resolve, reject) => {
      this.socket = open("/v1/stream");
      this.socket.onopen = () => {
        const format = { rate: this.context.sampleRate, encoding: "int16", channels: 1 };
        this.say({ type: "start", format, preset, lattice: true, phrases });
      };
      this.socket.onmessage = (event) => {
        const message = JSON.parse(event.data);
        if (message.type === "ready") resolve();
        if (message.type === "pong") message.roundTrip = performance.now() - this.pinged;
        this.onMessage(message);
      };
      this.socket.onclose = () => {
        reject(new Error("the daemon closed the connection"));
        this.stop();
      };
    });
  }

  send({ samples, level }) {
    if (this.socket.readyState !== WebSocket.OPEN || this.socket.bufferedAmount > 1_000_000) return;
    this.seconds += samples.byteLength / 2 / this.context.sampleRate;
    this.socket.send(samples);
    this.onLevel(level, this.seconds);
  }

  ping() {
    this.pinged = performance.now();
    this.say({ type: "ping" });
  }

  say(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  stop() {
    if (this.stopped) return;
    this.stopped = true;
    clearInterval(this.pinging);
    for (const track of this.media?.getTracks() ?? []) track.stop();
    this.context?.close();
    this.say({ type: "end" });
    setTimeout(() => this.socket?.close(), 1500);
    this.onEnd();
  }
}
