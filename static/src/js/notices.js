// The session's notices (JSON over its own WebSocket), passed on as events named by their type. After every
// (re)connection the server says the session's state, whose "stand" tells whether anything was missed.
const FINAL = new Set([4401, 4404, 4410]);

export class Notices extends EventTarget {
  constructor(sessionId) {
    super();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.url = `${scheme}://${location.host}/ws/sessions/${sessionId}/`;
    this.attempts = 0;
    this.open();
  }

  open() {
    const socket = this.socket = new WebSocket(this.url);
    socket.onopen = () => { this.attempts = 0; };
    socket.onmessage = ({ data }) => {
      const notice = JSON.parse(data);
      this.dispatchEvent(new CustomEvent(notice.type, { detail: notice }));
    };
    socket.onclose = ({ code }) => {
      if (FINAL.has(code) || this.isClosed) return;
      setTimeout(() => { if (!this.isClosed) this.open(); }, Math.min(10000, 300 * 2 ** this.attempts++));
    };
  }

  close() {
    this.isClosed = true;
    this.socket.close();
  }
}
