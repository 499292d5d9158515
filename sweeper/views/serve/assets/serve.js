"use strict";
// Shows how things stand as the server tells it, every second, and sends what the buttons ask for. A
// sweep's report is fetched anew where there is another, behind the one that is looked at.
(() => {
  const byId = (id) => document.getElementById(id);
  const asOf = byId("as-of");

  function node(tag, text, name) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  }

  function listen(show) {
    const events = new EventSource("events");
    let last = "";
    events.addEventListener("message", ({ data }) => { last = show(JSON.parse(data)); asOf.textContent = `as of ${last}`; });
    events.addEventListener("error", () => { asOf.textContent = `The server does not answer. As of ${last || "never"}`; });
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

  const reports = byId("reports");
  let edition = null; // of the report that is shown or on its way
  let coming = false;

  function carry(from, to) { // what is chosen, typed and scrolled to
    const [old, fresh] = [from.contentDocument, to.contentDocument];
    for (const input of old.querySelectorAll("input, select")) {
      const value = CSS.escape(input.value);
      const twin = input.id ? fresh.getElementById(input.id) : fresh.querySelector(`input[name="${input.name}"][value="${value}"]`);
      if (!twin) continue;
      if (twin.checked !== input.checked) { twin.checked = input.checked; twin.dispatchEvent(new Event("change", { bubbles: true })); }
      if (twin.value !== input.value) { twin.value = input.value; twin.dispatchEvent(new Event("input", { bubbles: true })); }
    }
    const chosen = old.querySelector("tr.selected")?.dataset.trial;
    if (chosen) fresh.querySelector(`tr[data-trial="${chosen}"] [data-trial]`)?.click();
    to.contentWindow.scrollTo({ top: from.contentWindow.scrollY, behavior: "instant" });
  }

  function fetchReport(wanted) {
    const [shown] = reports.children;
    const next = node("iframe", undefined, "coming");
    next.title = shown.title;
    coming = true;
    next.addEventListener("load", () => {
      coming = false;
      if (!next.contentDocument?.querySelector("main")) { next.remove(); return; } // no report: asked again later
      carry(shown, next);
      next.classList.remove("coming");
      shown.remove();
      edition = wanted;
    });
    next.src = `report?edition=${wanted}`;
    reports.append(next);
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
    edition ??= sweep.edition;
    if (sweep.edition !== edition && !coming && byId("keep-fresh").checked) fetchReport(sweep.edition);
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
