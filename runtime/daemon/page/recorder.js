// Runs in the audio thread: blocks of the microphone's first channel as 16-bit samples.

const BLOCK = 1024;

class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(BLOCK);
    this.filled = 0;
    this.power = 0;
  }

  process(inputs) {
    const input = inputs[0][0];
    if (!input) return true;
    for (const value of input) {
      const sample = Math.max(-1, Math.min(1, value));
      this.power += sample * sample;
      this.block[this.filled++] = sample * 32767;
      if (this.filled === BLOCK) {
        const samples = this.block.buffer;
        this.port.postMessage({ samples, level: 10 * Math.log10(this.power / BLOCK + 1e-10) }, [samples]);
        this.block = new Int16Array(BLOCK);
        this.filled = 0;
        this.power = 0;
      }
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
