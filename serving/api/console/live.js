// The stream of what the API knows: each section as it came last, and who wants to hear of it.

const SECTIONS = ["sources", "traffic", "decisions", "reviews", "alerts", "jobs", "drift", "models", "learners", "letters"];

export class Live {
  constructor() {
    this.state = {};
    this.listeners = new Set();
    this.connected = null;
  }

  start() {
    const source = new EventSource("/live");
    source.onopen = () => this.tell("connection", true);
    // The browser comes back by itself after a break, not after a refusal.
    source.onerror = () => {
      this.tell("connection", false);
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.start(), 3000);
    };
    for (const name of SECTIONS) {
      source.addEventListener(name, (event) => {
        this.state[name] = JSON.parse(event.data);
        this.tell(name);
      });
    }
  }

  on(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(name, connected) {
    if (connected !== undefined) this.connected = connected;
    for (const listener of this.listeners) listener(name);
  }

  problem(source) {
    return this.state.sources?.find((one) => one.name === source)?.problem ?? "";
  }
}

export async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw await refused(answer);
  return answer.headers.get("content-type").startsWith("application/json") ? answer.json() : answer.text();
}

export async function send(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw await refused(answer);
  return answer.json();
}

async function refused(answer) {
  const said = await answer.json().catch(() => ({ error: `the API answered ${answer.status}`, way_out: "try again" }));
  return new Error(`${said.error}; ${said.way_out}`);
}
