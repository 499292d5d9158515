"use strict";
// Shows how things stand as the server tells it, every second, and sends what the buttons ask for. A
// newer report is fetched, and the one that is looked at takes it in.
(() => {
  const byId = (id) => document.getElementById(id);
  const asOf = byId("as-of");

  function node(tag, text, name) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  }

  // Only while it is looked at: a browser has six connections to a server, for all its tabs.
  function listen(show) {
    let events = null, last = "";
    function follow() {
      events?.close();
      if (document.hidden) return;
      events = new EventSource("events");
      events.addEventListener("message", ({ data }) => { last = show(JSON.parse(data)); asOf.textContent = `as of ${last}`; });
      events.addEventListener("error", () => { asOf.textContent = `The server does not answer. As of ${last || "never"}`; });
    }
    document.addEventListener("visibilitychange", follow);
    follow();
  }

  // ---- all sweeps

  function showAll(sweeps) {
    const rows = sweeps.map(({ name, state, progress, best, started }) => {
      const row = node("tr");
      const link = node("a", name);
      link.href = `sweeps/${encodeURIComponent(name)}/`;
      const first = node("td");
      first.append(link);
      row.append(first, node("td", state, `state-${state}`), node("td", progress), node("td", best), node("td", started));
      return row;
    });
    byId("sweeps").tBodies[0].replaceChildren(...rows);
    return sweeps.length ? sweeps[0].as_of : "now: there is no sweep";
  }

  // ---- one sweep

  const frame = byId("report");
  let edition = null; // of the report that is shown
  let coming = false;

  // None on an error's page, into which a browser may let nobody look.
  const shownReport = () => frame.contentDocument?.defaultView?.report;

  // Null where there is no answer, which is said, or no report: asked again later.
  async function fetched(address) {
    try {
      const answer = await fetch(address);
      return answer.headers.get("Content-Type")?.startsWith("text/html") ? await answer.text() : null;
    } catch {
      return null;
    }
  }

  async function showReport(wanted) {
    const address = `report?edition=${wanted}`;
    coming = true;
    if (shownReport()) {
      const page = await fetched(address);
      if (page !== null) takeIn(page, wanted, address);
    } else {
      frame.src = address;
      await new Promise((resolve) => { frame.addEventListener("load", resolve, { once: true }); });
      if (shownReport()) edition = wanted;
    }
    coming = false;
  }

  function takeIn(page, wanted, address) {
    edition = wanted; // even if that fails: the same page would fail again
    try {
      shownReport().refresh(page);
    } catch (error) {
      console.error(error);
      frame.src = address; // all of it anew
    }
  }

  function showJobs(jobs) {
    const shown = jobs.map(({ command, began, exit_code, said }, index) => {
      const job = node("details");
      job.open = index === 0 || exit_code === null;
      const how = exit_code === null ? "at work" : exit_code === 0 ? "done" : `exit code ${exit_code}`;
      job.append(node("summary", `${began}  ${command}: ${how}`), node("pre", said));
      return job;
    });
    byId("jobs").replaceChildren(...shown);
  }

  let jobsShown = "";
  let idsShown = "";

  function showOne(sweep) {
    byId("state").textContent = sweep.state;
    byId("state").className = `state-${sweep.state}`;
    byId("progress").textContent = sweep.progress;
    for (const element of document.querySelectorAll("[data-when]")) {
      element.hidden = (element.dataset.when === "running") !== (sweep.state === "running");
    }
    const ids = JSON.stringify(sweep.running ?? []);
    if (ids !== idsShown) byId("trials").replaceChildren(...JSON.parse(ids).map((id) => { const option = node("option"); option.value = id; return option; }));
    idsShown = ids;
    const jobs = JSON.stringify(sweep.jobs);
    if (jobs !== jobsShown) showJobs(sweep.jobs);
    jobsShown = jobs;
    if (byId("note-form").hidden) byId("note").value = sweep.note;
    const wanted = edition === null || (sweep.edition !== edition && byId("keep-fresh").checked);
    if (wanted && !coming) showReport(sweep.edition);
    return sweep.as_of;
  }

  async function send(where, what) {
    const refused = byId("refused");
    refused.hidden = true;
    try {
      const answer = await fetch(where, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what) });
      if (answer.ok) return true;
      refused.textContent = (await answer.json().catch(() => null))?.error ?? `The server refuses: ${answer.status}`;
    } catch (error) {
      refused.textContent = `The server does not answer: ${error.message}`;
    }
    refused.hidden = false;
    return false;
  }

  function ask(element, fields) {
    const { action } = element.dataset;
    if (action === "stop trial" && !confirm(`Stop trial ${fields.trial} for good? The sweep goes on.`)) return;
    send("commands", { action, ...fields });
  }

  function prepareOne() {
    document.querySelectorAll("button[data-action]").forEach((button) => button.addEventListener("click", () => ask(button, {})));
    document.querySelectorAll("form[data-action]").forEach((form) => form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask(form, Object.fromEntries(new FormData(form)));
    }));
    const form = byId("note-form");
    const opener = byId("write-note");
    const toggle = () => { form.hidden = !form.hidden; opener.setAttribute("aria-expanded", String(!form.hidden)); };
    opener.addEventListener("click", () => { toggle(); if (!form.hidden) byId("note").focus(); });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (await send("note", { text: byId("note").value })) toggle();
    });
    listen(showOne);
  }

  if (document.body.classList.contains("overview")) listen(showAll);
  else prepareOne();
})();
