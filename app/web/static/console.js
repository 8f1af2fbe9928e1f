// What a page does beside htmx: copying an id, ticking all rows, "/", and leaving the focus where the act was.
// Everything can be done without it: ids can be selected, boxes ticked one by one.
"use strict";

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button || button.textContent === "Copied") return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const before = button.innerHTML;
  button.textContent = "Copied";
  setTimeout(() => { button.innerHTML = before; }, 1500);
});

document.addEventListener("change", ({ target }) => {
  if (!target.matches("[data-ticks]")) return;
  for (const box of document.querySelectorAll(target.dataset.ticks)) box.checked = target.checked;
});

// "/" goes to the box that finds anything by its id, unless somebody is typing
document.addEventListener("keydown", (event) => {
  const box = document.getElementById("find");
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || !box || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  box.focus();
});

function show(part) {
  for (const one of part.querySelectorAll(navigator.clipboard ? "[data-copy][hidden], [data-ticks]" : "[data-ticks]")) {
    one.hidden = false;
    if (one.labels?.length) one.labels[0].hidden = false;
  }
}

show(document);
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  show(document);
  if (document.activeElement !== document.body || detail.requestConfig?.headers["X-Poll"]) return;
  const part = detail.elt.id ? document.getElementById(detail.elt.id) : detail.elt;
  part?.querySelector("[data-focus]")?.focus();
});
