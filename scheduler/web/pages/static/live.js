// Keeps a page up to date: when the daemon says that something changed, the page is
// fetched again and what differs in its main part is replaced. The page works without.
"use strict";
(() => {
  const quiet = 30_000; // without a sign of life for so long, the page is stale
  const pause = 2_000; // between two fetches
  const aging = 60_000; // "3 minutes ago" changes without an event
  const status = document.getElementById("live");
  const { events, zone } = document.getElementById("main").dataset;
  let heard = Date.now(); // when the daemon last sent anything
  let stale = false;
  let fetched = 0;
  let due = 0; // the timer of the next fetch
  let tag = "";
  let connection = null;

  function clock(at) {
    const form = { hour: "2-digit", minute: "2-digit" };
    try {
      return new Date(at).toLocaleTimeString("en-GB", { ...form, timeZone: zone });
    } catch { // a zone that the browser does not know
      return new Date(at).toLocaleTimeString("en-GB", { ...form, timeZone: "UTC" }) + " UTC";
    }
  }

  function setStale(is) {
    if (is === stale) return;
    stale = is;
    status.replaceChildren();
    if (!stale) return;
    const again = document.createElement("a");
    again.href = location.href;
    again.textContent = "reload";
    status.append(`Not live since ${clock(heard)}; `, again);
  }

  function alive() {
    heard = Date.now();
    setStale(false);
  }

  function changed() {
    if (due || document.hidden) return;
    due = setTimeout(refresh, Math.max(0, fetched + pause - Date.now()));
  }

  async function refresh() {
    due = 0;
    fetched = Date.now();
    try {
      const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {}, redirect: "manual", signal: AbortSignal.timeout(quiet) });
      if (answer.status === 304) return;
      if (!answer.ok) { // signed out, say
        setStale(true);
        return;
      }
      const text = await answer.text();
      tag = answer.headers.get("ETag") ?? "";
      for (const part of ["#main", "#footer"]) {
        await htmx.swap({ text, sourceElement: document.body, target: part, select: part, swap: "outerMorph" });
      }
    } catch { // the daemon is down; the next event fetches again
    }
  }

  // EventSource shows no comments, by which an idle daemon says that it lives; so the
  // stream is read here. What changed is on the page: the events themselves are not needed.
  async function follow() {
    connection = new AbortController();
    const answer = await fetch(events, { headers: { Accept: "text/event-stream" }, cache: "no-store", signal: connection.signal });
    if (!answer.ok) throw new Error(`events: ${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    changed(); // what happened before the stream began
    for (let rest = ""; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      if (lines.some((line) => line.startsWith("event:"))) changed();
    }
  }

  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // A page that nobody sees listens to nothing: a browser has few connections for a host.
  function shown() {
    if (!document.hidden) return Promise.resolve();
    return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true })).then(shown);
  }

  async function listen() {
    for (let delay = 1_000; ; delay = Math.min(2 * delay, quiet / 2)) {
      await shown();
      const began = Date.now();
      try {
        await follow();
      } catch { // it is tried again
      }
      if (Date.now() - began > quiet) delay = 1_000;
      await wait(delay / 2 + Math.random() * delay / 2);
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      connection?.abort();
    } else {
      heard = Date.now();
    }
  });
  setInterval(() => {
    if (document.hidden || Date.now() - heard < quiet) return;
    setStale(true);
    connection?.abort(); // a connection that died says nothing
  }, 1_000);
  setInterval(() => { if (!stale) changed(); }, aging);
  listen();
})();
