// The judging screen. It holds the next documents, so that a press shows the next one at once, and
// an outbox of what was pressed, which is sent again until the server says that it is on its disk.
// Whatever comes from a corpus, a judge or a lead is set as text, never as markup.

const SEND_AGAIN_MS = 2500;
const LATE_MS = 2000;
const BLIND_PRESS_MS = 150; // sooner than that nobody has read the next document
const BEAT_MS = 45000;
const POLL_EMPTY_MS = 4000;

const TOOLS = [
  ["skip", "s", "Skip", "Skip: it comes again at the end"],
  ["unsure", "c", "Cannot tell", "Cannot tell: an answer too, never counted as a grade"],
  ["undo", "u", "Undo", "Undo the last answer"],
  ["note", "n", "Note", "Write a note for this document"],
  ["previous", "p", "Previous", "Previous document; → goes on again"],
  ["jump", "j", "Queries", "Go to another query"],
  ["full", "f", "Full text", "Full text, or the best passage only"],
  ["guide", "g", "Guidelines", "Show or hide the guidelines"],
  ["keys", "?", "Keys", "This list"],
];
const ALSO = { ArrowLeft: "previous", ArrowRight: "next", Backspace: "undo" };

const screens = new WeakMap();

export default function (component) {
  const { parentElement, data } = component;
  let screen = screens.get(parentElement);
  if (!screen) {
    screen = new Screen(parentElement);
    screens.set(parentElement, screen);
  }
  screen.connect(component);
  screen.take(data);
  return () => screen.leave();
}

class Screen {
  constructor(root) {
    this.root = root;
    this.cards = new Map(); // id -> card
    this.coming = []; // ids still to be judged, the next first
    this.trail = []; // ids judged, the latest last
    this.back = 0; // how many steps back in the trail; 0 is the document to be judged
    this.outbox = [];
    this.acknowledged = new Set();
    this.skipped = [];
    this.queries = [];
    this.notes = new Map();
    this.open = false; // full text
    this.query = "";
    this.seenFor = 0;
    this.beat = 0; // of the latest message; the answer repeats it
    this.sentAt = 0;
    this.waiting = false; // something is to be sent as soon as the answer is here
    this.storage = "";
    this.timers = [];
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  // ---- the connection to the page -------------------------------------------------------------

  connect(component) {
    this.setStateValue = component.setStateValue;
    if (this.listening) return;
    this.listening = new AbortController();
    const signal = this.listening.signal;
    // Streamlit has keys of its own; ours come first while this screen is there.
    window.addEventListener("keydown", (event) => this.key(event), { capture: true, signal });
    document.addEventListener("visibilitychange", () => this.visible(), { signal });
    window.addEventListener("online", () => this.send(), { signal });
    window.addEventListener("pagehide", () => this.keep(), { signal });
    window.addEventListener("storage", (event) => this.stored(event), { signal });
    this.root.addEventListener("click", (event) => this.click(event), { signal });
    this.$(".note textarea").addEventListener("input", (e) => this.noted(e.target.value), { signal });
    this.$(".filter input").addEventListener("input", () => this.listQueries(), { signal });
    this.timers = [
      setInterval(() => this.retry(), SEND_AGAIN_MS),
      setInterval(() => this.tick(), 500),
      setInterval(() => this.poll(), POLL_EMPTY_MS),
      setInterval(() => document.hidden || this.send(), BEAT_MS),
    ];
    this.since = performance.now();
  }

  leave() {
    this.listening?.abort();
    this.listening = null;
    this.timers.forEach(clearInterval);
  }

  // One message at a time: the page would drop what it is doing for a newer one.
  send() {
    const underway = this.beat !== (this.data?.beat ?? this.beat);
    this.waiting = underway && performance.now() - this.sentAt < SEND_AGAIN_MS;
    if (this.waiting) return;
    this.sentAt = performance.now();
    this.beat = Date.now();
    this.setStateValue("message", {
      beat: this.beat,
      events: this.outbox,
      skipped: this.skipped,
      query: this.query,
      current: this.now()?.id ?? "",
      list: this.$(".jump").open,
    });
  }

  retry() {
    const oldest = this.outbox[0];
    if (oldest && performance.now() - this.sentAt > SEND_AGAIN_MS - 100) this.send();
  }

  poll() {
    if (!document.hidden && !this.outbox.length && !this.now() && !this.data?.stop) this.send();
  }

  // ---- what the server says -------------------------------------------------------------------

  take(data) {
    if (!data) return;
    const first = !this.data;
    this.data = data;
    if (data.queries) this.queries = data.queries;
    if (data.queries && this.$(".jump").open) this.listQueries();
    if (first) this.begin(data);
    for (const token of data.acked) this.acknowledged.add(token);
    const waiting = this.outbox.filter((event) => !this.acknowledged.has(event.token));
    if (waiting.length !== this.outbox.length) {
      this.outbox = waiting;
      this.keep();
    }
    const touched = new Set(this.outbox.map((event) => event.card));
    for (const card of [...data.recent, ...data.cards]) {
      if (!touched.has(card.id)) this.cards.set(card.id, card); // else what was pressed is newer
    }
    if (first) this.trail = data.recent.map((card) => card.id);
    const current = this.coming[0];
    const open = data.cards.map((card) => card.id).filter((id) => !this.answered(id));
    const later = open.filter((id) => this.skipped.includes(id)); // known here before the server
    const next = [...open.filter((id) => !later.includes(id)), ...later];
    const stays = current && !this.answered(current) && (!this.jumping || first) && !data.gone.includes(current);
    this.coming = stays ? [current, ...next.filter((id) => id !== current)] : next;
    if (data.stop && !this.outbox.length) this.coming = [];
    if (!first) this.jumping = false;
    this.draw(first || this.shown !== this.now()?.id);
    if (this.waiting) this.send();
  }

  answered(id) {
    return Boolean(this.cards.get(id)?.answers.length);
  }

  begin(data) {
    const prefix = `rerank-lab.label.${data.session}.${data.judge}.`;
    let tab = sessionStorage.getItem("rerank-lab.tab");
    if (!tab) {
      tab = token();
      sessionStorage.setItem("rerank-lab.tab", tab);
    }
    this.storage = `${prefix}tab.${tab}`;
    this.skips = `${prefix}skipped`; // of all tabs: what is skipped in one comes last in all
    this.skipped = listed(localStorage.getItem(this.skips));
    // Also what tabs left behind that were closed while the connection was lost.
    for (const name of Object.keys(localStorage).filter((key) => key.startsWith(`${prefix}tab.`))) {
      this.outbox.push(...listed(localStorage.getItem(name)));
      if (name !== this.storage) localStorage.removeItem(name);
    }
    this.keep();
    this.place = `${prefix}query`; // where this tab was before a reload
    this.query = sessionStorage.getItem(this.place) || "";
    this.jumping = Boolean(this.query);
    if (this.outbox.length || this.skipped.length || this.query) setTimeout(() => this.send(), 0);
    this.buildButtons(data);
  }

  keep() {
    if (!this.storage) return;
    for (const [name, list] of [[this.storage, this.outbox], [this.skips, this.skipped]]) {
      if (list.length) localStorage.setItem(name, JSON.stringify(list));
      else localStorage.removeItem(name);
    }
  }

  // Another tab of this judge skipped something, or judged what was skipped.
  stored(event) {
    if (!this.skips || event.key !== this.skips) return;
    this.skipped = listed(event.newValue);
    const [current, ...rest] = this.coming;
    const later = rest.filter((id) => this.skipped.includes(id));
    this.coming = [current, ...rest.filter((id) => !later.includes(id)), ...later].filter(Boolean);
    this.send();
  }

  // ---- what the judge does --------------------------------------------------------------------

  now() {
    const id = this.back ? this.trail[this.trail.length - this.back] : this.coming[0];
    return this.cards.get(id);
  }

  seconds() {
    return (this.seenFor + (document.hidden ? 0 : performance.now() - this.since)) / 1000;
  }

  answer(grade) {
    const card = this.now();
    if (!card || performance.now() - this.drawnAt < BLIND_PRESS_MS) return;
    const note = this.notes.get(card.id) ?? card.note;
    const seconds = Math.round(this.seconds() * 10) / 10;
    const sent = this.push({ kind: "grade", grade, note, seconds }, card);
    card.answers.push({ grade, token: sent });
    card.note = note;
    this.notes.delete(card.id);
    this.trail = [...this.trail.filter((id) => id !== card.id), card.id];
    this.coming = this.coming.filter((id) => id !== card.id);
    this.skipped = this.skipped.filter((id) => id !== card.id);
    this.back = 0;
    this.last = `${this.named(grade)}`;
    this.changed();
  }

  undo() {
    const id = this.trail[this.trail.length - 1];
    const card = this.cards.get(id);
    if (!card) return this.say("Nothing to undo.");
    const taken = card.answers.pop();
    this.push({ kind: "undo", row: taken.row ?? 0, undoes: taken.token ?? "" }, card);
    if (this.answered(id)) this.back = 1;
    else {
      this.trail.pop();
      this.coming = [id, ...this.coming.filter((other) => other !== id)];
      this.back = 0;
    }
    this.last = "Undone";
    this.changed();
  }

  skip() {
    const card = this.now();
    if (!card || this.back) return this.step(-1);
    this.coming = [...this.coming.filter((id) => id !== card.id), card.id];
    this.skipped = [...this.skipped.filter((id) => id !== card.id), card.id];
    this.last = "Skipped";
    this.changed();
  }

  push(event, card) {
    const name = token();
    this.outbox.push({
      ...event,
      token: name,
      card: card.id,
      position: card.position,
      hash: card.hash,
      passage: card.passage,
    });
    this.pressedAt = performance.now();
    return name;
  }

  changed() {
    this.keep();
    this.send();
    this.draw(true);
  }

  step(by) {
    const back = Math.min(Math.max(0, this.back + by), this.trail.length);
    if (back === this.back) return;
    this.back = back;
    this.draw(true);
  }

  noted(text) {
    const card = this.now();
    if (card) this.notes.set(card.id, text);
  }

  go(queryId) {
    this.query = queryId;
    sessionStorage.setItem(this.place, queryId);
    this.back = 0;
    this.jumping = true;
    const here = this.coming.filter((id) => this.cards.get(id)?.query_id === queryId);
    this.coming = [...here, ...this.coming.filter((id) => !here.includes(id))];
    this.send();
    this.draw(true);
  }

  do(action) {
    const actions = {
      skip: () => this.skip(),
      unsure: () => this.answer(null),
      undo: () => this.undo(),
      note: () => this.note(),
      previous: () => this.step(1),
      next: () => this.step(-1),
      jump: () => this.jump(),
      full: () => this.full(),
      guide: () => document.querySelector(".st-key-guidelines summary")?.click(),
      keys: () => this.toggle(this.$(".sheet")),
    };
    actions[action]?.();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (!this.root.host?.isConnected) return;
    const target = event.composedPath()[0];
    const typing = target.matches?.("input, textarea, select, [contenteditable]");
    const dialog = this.$("dialog[open]");
    if (typing && event.key === "Escape" && !dialog) {
      this.mine(event);
      return this.focusDocument();
    }
    if (typing) return;
    if (dialog) {
      if (event.key === "?") {
        this.mine(event);
        dialog.close();
      }
      return;
    }
    if (document.querySelector('[data-testid="stDialog"], [role="menu"], [role="listbox"]')) return;
    // On keyboards where digits need Shift, the key itself counts.
    const digit = /^\d$/.test(event.key)
      ? event.key : !event.shiftKey && /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
    const grade = this.data.scale.find((one) => String(one.value) === digit);
    const action = ALSO[event.key] || TOOLS.find((tool) => tool[1] === event.key.toLowerCase())?.[0];
    if (!grade && !action) return;
    this.mine(event);
    if (event.repeat) return;
    if (grade) this.answer(grade.value);
    else this.do(action);
  }

  mine(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  click(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.grade !== undefined) this.answer(Number(button.dataset.grade));
    else if (button.dataset.query !== undefined) {
      this.$(".jump").close();
      this.go(button.dataset.query);
    } else if (button.classList.contains("close")) button.closest("dialog").close();
    else if (button.dataset.do) this.do(button.dataset.do);
  }

  visible() {
    if (document.hidden) this.seenFor += performance.now() - this.since;
    else this.send();
    this.since = performance.now();
  }

  // ---- what is on the screen ------------------------------------------------------------------

  buildButtons(data) {
    const grades = this.$(".grades");
    grades.classList.toggle("many", data.scale.length > 5);
    grades.replaceChildren(...data.scale.map((one) => {
      const button = make("button", "", { type: "button" });
      button.dataset.grade = one.value;
      const name = make("span", "name");
      name.append(make("kbd", "", {}, String(one.value)), make("span", "", {}, one.label));
      button.append(name);
      if (one.meaning) button.append(make("span", "meaning", {}, one.meaning));
      return button;
    }));
    this.$(".tools").replaceChildren(...TOOLS.map(([action, key, label, help]) => {
      const button = make("button", "", { type: "button", title: help });
      button.dataset.do = action;
      button.append(make("kbd", "", { "aria-hidden": "true" }, key), make("span", "", {}, label));
      button.setAttribute("aria-keyshortcuts", key);
      return button;
    }));
    const rows = data.scale.map((one) => [String(one.value), one.label]);
    rows.push(...TOOLS.map(([, key, , help]) => [key, help]));
    this.$(".sheet dl").replaceChildren(...rows.flatMap(([key, help]) => {
      const term = make("dt", "");
      term.append(make("kbd", "", {}, key));
      return [term, make("dd", "", {}, help)];
    }));
  }

  draw(fresh) {
    const card = this.now();
    this.$(".card").hidden = !card;
    this.$(".empty").hidden = Boolean(card);
    if (fresh) {
      this.shown = card?.id;
      this.open = false;
      this.seenFor = 0;
      this.since = this.drawnAt = performance.now();
    }
    if (card) this.drawCard(card, fresh);
    else this.drawEmpty();
    for (const button of this.root.querySelectorAll(".grades button")) {
      button.disabled = !card;
      const chosen = card?.answers.at(-1)?.grade === Number(button.dataset.grade);
      button.setAttribute("aria-pressed", String(chosen));
    }
    this.enable("skip", card && !this.back);
    this.enable("unsure", card);
    this.enable("note", card);
    this.enable("full", card?.full);
    this.enable("undo", this.trail.length);
    this.enable("previous", this.back < this.trail.length);
    this.tick();
  }

  drawCard(card, fresh) {
    this.$(".count").textContent = card.place;
    this.$(".query").textContent = card.query;
    fill(this.$(".title"), card.title);
    this.$(".title").hidden = !card.title.length;
    fill(this.$(".text"), this.open && card.full ? card.full : card.text);
    const more = this.$(".more");
    more.hidden = !card.full;
    more.textContent = this.open ? "Show the best passage only" : card.more;
    const earlier = this.$(".seen");
    const answer = card.answers.at(-1);
    earlier.hidden = !answer;
    if (answer) {
      earlier.textContent = `You said: ${this.named(answer.grade)}. A key changes it, → goes on.`;
    }
    const note = this.$(".note");
    const written = this.notes.get(card.id) ?? card.note ?? "";
    if (fresh) {
      note.hidden = !written;
      this.$(".note textarea").value = written;
      this.root.host?.closest('[data-testid="stMain"]')?.scrollTo({ top: 0 });
      this.focusDocument();
      this.say(`${this.last ? this.last + ". " : ""}${card.place}. ${card.query}`);
    }
  }

  drawEmpty() {
    const [title, text] = this.data.stop
      ? [this.data.stop, this.data.stop_text]
      : this.outbox.length || this.data.left
        ? ["One moment", this.data.waiting_text]
        : ["Nothing left for you", this.data.waiting_text];
    this.$(".empty h2").textContent = title;
    this.$(".empty p").textContent = text;
    this.$(".note").hidden = true;
    this.say(`${title}. ${text}`);
  }

  tick() {
    const data = this.data;
    if (!data) return;
    const unsent = this.outbox.filter((event) => event.kind === "grade").length;
    const done = Math.min(data.planned, data.grades + unsent);
    const share = data.planned ? done / data.planned : 0;
    const track = this.$(".track");
    track.firstElementChild.style.width = `${(100 * share).toFixed(1)}%`;
    track.setAttribute("aria-valuemax", data.planned);
    track.setAttribute("aria-valuenow", done);
    this.$(".pace").textContent = [`${done.toLocaleString("en")} of ${data.planned.toLocaleString("en")}`, ...data.pace].join(" · ");
    const late = this.outbox.length && performance.now() - (this.pressedAt ?? 0) > LATE_MS;
    const saved = this.$(".saved");
    const words = late
      ? `${this.outbox.length} not saved yet; kept here until the connection is back`
      : this.outbox.length ? "Saving …" : this.last ? `${this.last} · saved` : "";
    if (saved.textContent !== words) saved.textContent = words;
    const problem = this.$(".problem");
    problem.hidden = !data.problem;
    if (problem.textContent !== data.problem) problem.textContent = data.problem;
  }

  named(grade) {
    if (grade === null) return "Cannot tell";
    const one = this.data.scale.find((item) => item.value === grade);
    return one ? `${one.value} ${one.label}` : String(grade);
  }

  enable(action, possible) {
    this.$(`.tools [data-do="${action}"]`).disabled = !possible;
  }

  full() {
    const card = this.now();
    if (!card?.full) return;
    this.open = !this.open;
    this.draw(false);
    this.say(this.open ? "Full text" : "Best passage");
  }

  note() {
    const note = this.$(".note");
    note.hidden = false;
    note.querySelector("textarea").focus();
  }

  jump() {
    this.$(".filter input").value = "";
    this.listQueries();
    this.toggle(this.$(".jump"));
    this.$(".filter input").focus();
    this.send();
  }

  listQueries() {
    const wanted = this.$(".filter input").value.toLowerCase();
    const matching = this.queries.filter((one) => one.text.toLowerCase().includes(wanted));
    this.$(".jump ul").replaceChildren(...matching.slice(0, 200).map((one) => {
      const item = make("li", "");
      const button = make("button", "", { type: "button" });
      button.dataset.query = one.id;
      button.append(make("span", "", { dir: "auto" }, one.text), make("small", "", {}, one.left));
      item.append(button);
      return item;
    }));
  }

  toggle(dialog) {
    if (dialog.open) dialog.close();
    else dialog.showModal();
  }

  focusDocument() {
    this.$(".document").focus({ preventScroll: true });
  }

  say(words) {
    this.$(".spoken").textContent = words;
  }
}

function make(tag, name, attributes = {}, text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

function fill(element, segments) {
  element.replaceChildren(...segments.map(([text, marked]) =>
    marked ? make("mark", "", {}, text) : document.createTextNode(text)));
}

function token() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

function listed(text) {
  try {
    const list = JSON.parse(text);
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}
