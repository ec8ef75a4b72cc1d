"use strict";
/* The keyboard of the reviewer's page. What was written is saved in order, one request after the other. */
(() => {
  const main = document.getElementById("review");
  const HISTORY = "flywheel-review-undo";
  const WAIT_MS = 600;
  let pending = Promise.resolve();
  let seen = main && main.dataset.seen ? Number(main.dataset.seen) : null;
  let timer = 0;
  let busy = false;
  let warned = false;

  const id = (name) => document.getElementById(name);
  const history = () => JSON.parse(sessionStorage.getItem(HISTORY) || "[]");
  const remember = (path, step) =>
    step && sessionStorage.setItem(HISTORY, JSON.stringify([...history(), [path, step]].slice(-50)));

  function say(text, bad) {
    const state = id("state");
    if (!state) return;
    state.textContent = text;
    state.toggleAttribute("data-bad", Boolean(bad));
  }

  async function send(path, body) {
    const content = JSON.stringify(body);
    const reply = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-flywheel-review": "1" },
      body: content,
      keepalive: content.length < 60000, // what is typed survives the closing of the page; more is not allowed
    });
    const found = await reply.json().catch(() => ({}));
    if (!reply.ok) throw new Error(found.message || `The stand-in answered ${reply.status}.`);
    return found;
  }

  /* After everything before it, whether that went well or not. */
  function post(body) {
    const sent = pending.then(() => send(main.dataset.post, typeof body === "function" ? body() : body));
    pending = sent.catch(() => undefined);
    return sent;
  }

  async function undo() {
    const steps = history();
    const last = steps.pop();
    if (!last) return say("There is nothing to take back.");
    await pending;
    try {
      await send(last[0], last[1]);
      sessionStorage.setItem(HISTORY, JSON.stringify(steps));
      if (location.pathname + location.search === last[0]) location.reload();
      else location.assign(last[0]);
    } catch (error) {
      say(error.message, true);
    }
  }

  if (!main) {
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "u") undo();
      const link = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
      if (link) link.click();
    });
    return;
  }

  const correction = id("correction");
  const comment = id("comment");
  const draft = `flywheel-review-comment:${main.dataset.post}`;
  const fieldsets = [...document.querySelectorAll("fieldset[data-config]")];
  let saved = correction.value;

  const answered = (set) => [...set.querySelectorAll("input")].some((it) => (it.type === "radio" ? it.checked : it.value !== ""));
  const active = () => fieldsets.find((set) => set.hasAttribute("data-active"));

  function activate(set, focus) {
    for (const other of fieldsets) other.toggleAttribute("data-active", other === set);
    if (set && focus) (set.querySelector("input:checked") || set.querySelector("input")).focus();
  }

  function showOthers(others) {
    if (!others) return;
    if (main.dataset.hidden) return void flush().then(() => location.reload());
    const list = id("others").querySelector("ul");
    list.replaceChildren(
      ...others.map((other) => {
        const line = document.createElement("li");
        const name = document.createElement("b");
        const who = document.createElement("small");
        name.textContent = other.name;
        who.textContent = other.who;
        line.append(name, ` ${other.value} `, who);
        return line;
      }),
    );
    id("others").hidden = false;
  }

  async function answer(set, value) {
    try {
      const reply = await post({ action: "score", configId: set.dataset.config, value });
      remember(main.dataset.post, reply.undo);
      say("saved");
      showOthers(reply.others);
    } catch (error) {
      say(error.message, true);
    }
  }

  function choose(value) {
    const set = active() || fieldsets.find((it) => it.dataset.type === "BOOLEAN");
    if (!set || set.dataset.type !== "BOOLEAN") return say("The question in turn is not one of yes or no.");
    const radio = set.querySelector(`input[value="${value}"]`);
    radio.checked = true;
    answer(set, value);
    const later = fieldsets.slice(fieldsets.indexOf(set) + 1).find((it) => !answered(it));
    activate(later || set, true);
  }

  function clear() {
    const set = active();
    if (!set) return;
    for (const input of set.querySelectorAll("input")) {
      if (input.type === "radio") input.checked = false;
      else input.value = "";
    }
    answer(set, null);
  }

  async function saveCorrection() {
    clearTimeout(timer);
    const text = correction.value;
    if (text === saved) return;
    saved = text;
    try {
      seen = (await post(() => ({ action: "correction", text, seen }))).seen;
      say("correction saved");
    } catch (error) {
      saved = null; // not what is stored: the next attempt sends it again
      say(error.message, true);
      throw error;
    }
  }

  /* As in Langfuse: the click fills the editor with the whole output and saves it, before a key is pressed. */
  function openCorrection() {
    if (id("editor").hidden) {
      id("correct").hidden = true;
      id("editor").hidden = false;
      correction.value = id("output").value;
      saveCorrection().catch(() => undefined);
    }
    correction.focus();
  }

  async function saveComment() {
    const content = comment.value.trim();
    if (!content) return;
    try {
      remember(main.dataset.post, (await post({ action: "comment", content })).undo);
    } catch (error) {
      say(error.message, true);
      throw error;
    }
    const line = document.createElement("li");
    line.textContent = content;
    id("comments").append(line);
    comment.value = "";
    sessionStorage.removeItem(draft);
  }

  async function flush() {
    await saveCorrection();
    await pending;
  }

  async function leave(step) {
    if (busy) return;
    busy = true;
    try {
      await step();
    } catch {
      busy = false; // why is said already; nothing that was typed is lost
    }
  }

  function complete() {
    if (!warned && !fieldsets.some(answered)) {
      warned = true;
      return say("Nothing is judged. Once more completes it without a judgement; j skips it.", true);
    }
    leave(async () => {
      await saveCorrection();
      await saveComment();
      let reply;
      try {
        reply = await post({ action: "complete" });
      } catch (error) {
        say(error.message, true);
        throw error;
      }
      remember(main.dataset.post, reply.undo);
      location.assign(reply.next);
    });
  }

  const go = (path) => path && leave(async () => { await flush(); location.assign(path); });

  const help = () => {
    if (id("keys").open) id("keys").close();
    else id("keys").showModal();
  };

  const steps = {
    complete,
    undo: () => flush().then(undo, () => undefined),
    help,
    correct: openCorrection,
    next: () => go(main.dataset.next),
    previous: () => go(main.dataset.previous),
  };
  const keys = {
    y: () => choose(1),
    n: () => choose(0),
    x: clear,
    c: openCorrection,
    m: () => comment.focus(),
    j: steps.next,
    k: steps.previous,
    u: steps.undo,
    "?": help,
    o: () => {
      const folds = [...document.querySelectorAll("details")];
      const open = folds.some((fold) => !fold.open);
      for (const fold of folds) fold.open = open;
    },
  };

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    const writing = target.matches("textarea, input[type=text], input[type=number]");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (target.matches("input")) target.blur(); // its change is saved first
      return complete();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (id("keys").open) return void (event.key === "?" && (event.preventDefault(), help()));
    if (event.key === "Escape" && writing) {
      target.blur();
      return activate(active() || fieldsets[0], false);
    }
    if (event.key === "Enter" && !target.matches("textarea, a, button, summary")) {
      event.preventDefault();
      if (writing) target.blur();
      return complete();
    }
    if (writing) return;
    if (/^[1-9]$/.test(event.key) && fieldsets[event.key - 1]) {
      event.preventDefault();
      return activate(fieldsets[event.key - 1], true);
    }
    if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (button) steps[button.dataset.do]();
  });

  for (const set of fieldsets) {
    set.addEventListener("focusin", () => activate(set, false));
    set.addEventListener("change", (event) => {
      const { value, type } = event.target;
      const bare = value === "" ? null : value;
      answer(set, bare !== null && (type === "number" || set.dataset.type === "BOOLEAN") ? Number(value) : bare);
    });
  }
  id("form").addEventListener("submit", (event) => event.preventDefault());

  correction.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => saveCorrection().catch(() => undefined), WAIT_MS);
  });
  correction.addEventListener("blur", () => saveCorrection().catch(() => undefined));
  comment.addEventListener("input", () => sessionStorage.setItem(draft, comment.value));
  comment.value = sessionStorage.getItem(draft) || "";

  addEventListener("pagehide", () => {
    if (correction.value !== saved) send(main.dataset.post, { action: "correction", text: correction.value, seen }).catch(() => undefined);
  });
  addEventListener("beforeunload", (event) => {
    if (saved === null) event.preventDefault(); // a correction that could not be saved
  });

  activate(fieldsets.find((set) => !answered(set)) || fieldsets[0], false);
  main.dataset.ready = "yes"; // from here on every key is heard
})();
