// Websockets of this daemon, with the token if it asks for one.

const KEY = "nearword-token";

export function token() {
  return sessionStorage.getItem(KEY) ?? "";
}

export function remember(value) {
  sessionStorage.setItem(KEY, value);
}

/** Whether the daemon lets us in; throws if it cannot be reached. */
export async function mayEnter() {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  const answer = await fetch("/v1/models", { headers });
  if (answer.status === 401) return null;
  if (!answer.ok) throw new Error(`the daemon answers ${answer.status}`);
  return (await answer.json()).data[0].id;
}

export function open(path) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const protocols = token() ? ["nearword", `nearword-token.${token()}`] : ["nearword"];
  const socket = new WebSocket(`${scheme}//${location.host}${path}`, protocols);
  socket.binaryType = "arraybuffer";
  return socket;
}

/** A socket that comes back after it was lost: waits longer each time, up to ten seconds. */
export function lasting(path, onMessage, onState) {
  let wait = 500;
  const connect = () => {
    const socket = open(path);
    socket.onopen = () => { wait = 500; onState("open"); };
    socket.onmessage = (event) => onMessage(JSON.parse(event.data));
    socket.onclose = () => {
      onState("closed");
      setTimeout(connect, wait);
      wait = Math.min(2 * wait, 10000);
    };
  };
  connect();
}
