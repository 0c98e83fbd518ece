"use strict";
(() => {
  const $ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const tip = document.getElementById("tip");

  // What a bar or a mark says, beside it, when it is pointed at or focused.
  const show = (element) => {
    const [first, ...rest] = element.getAttribute("aria-label").split(" · ");
    tip.replaceChildren();
    const title = document.createElement("b");
    title.textContent = first;
    tip.append(title);
    for (const text of rest) {
      const line = document.createElement("div");
      line.textContent = text;
      tip.append(line);
    }
    tip.hidden = false;
    const box = (element.querySelector("rect,circle,use") || element).getBoundingClientRect();
    const width = tip.offsetWidth, height = tip.offsetHeight;
    const left = Math.min(Math.max(8, box.left + Math.min(box.width, 40) / 2 - 20), innerWidth - width - 8);
    const above = box.top - height - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 8 ? above : box.bottom + 8}px`;
  };
  const hide = () => { tip.hidden = true; };
  for (const element of $("svg.line a[aria-label]")) {
    element.addEventListener("pointerenter", () => show(element));
    element.addEventListener("pointerleave", hide);
    element.addEventListener("focus", () => show(element));
    element.addEventListener("blur", hide);
  }
  addEventListener("scroll", hide, { passive: true });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // A link to something folded away opens it.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // Zoom.
  const chart = document.querySelector("svg.line");
  const zoom = document.querySelector(".zoom");
  if (chart && zoom) {
    zoom.hidden = false;
    for (const button of $("button", zoom)) {
      button.addEventListener("click", () => {
        for (const other of $("button", zoom)) other.setAttribute("aria-pressed", String(other === button));
        chart.setAttribute("width", `${button.dataset.zoom * 100}%`);
      });
    }
  }

  // Agents: find, open all.
  const agents = $("details.agent");
  const tools = document.getElementById("agent-tools");
  if (agents.length > 1) {
    tools.hidden = false;
    const filter = document.getElementById("filter");
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const agent of agents) {
        const fits = words.every((word) => agent.dataset.find.includes(word));
        agent.hidden = !fits;
        shown += fits;
      }
      for (const list of $(".list")) {
        const empty = !list.querySelector("details.agent:not([hidden])");
        list.hidden = empty;
        list.previousElementSibling.hidden = empty;
      }
      document.getElementById("none").hidden = shown > 0;
    });
    const all = document.getElementById("all");
    all.addEventListener("click", () => {
      const open = all.textContent === "Open all";
      for (const agent of agents) agent.open = open && !agent.hidden;
      all.textContent = open ? "Close all" : "Open all";
    });
  }

  // On paper nothing can be opened: agents are, if they are few; diffs stay folded.
  addEventListener("beforeprint", () => {
    for (const each of $(agents.length > 30 ? "details.behind" : "details.agent, details.behind")) {
      if (!each.open) { each.open = true; each.dataset.printed = ""; }
    }
  });
  addEventListener("afterprint", () => {
    for (const each of $("details[data-printed]")) { each.open = false; delete each.dataset.printed; }
  });
})();
