// What a page cannot do without a script beyond htmx: copying an invitation, and
// telling a connection that breaks. Everything else works without this file.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  const says = button.parentElement.querySelector("[data-copied]");
  try {
    await navigator.clipboard.writeText(field.value);
    says.textContent = "Copied.";
  } catch {
    field.select();
    says.textContent = "Press Ctrl+C to copy.";
  }
});

// A connection that breaks is told like everything else that goes wrong.
document.addEventListener("htmx:sendError", (event) => {
  const place = event.target.querySelector(".problem-place");
  if (!place) return;
  const box = document.createElement("div");
  box.className = "answer problem";
  box.setAttribute("role", "alert");
  const strong = document.createElement("strong");
  strong.textContent = "The console did not answer.";
  box.append(strong, " Check the connection and look whether it was taken before you repeat it: what you typed is still here.");
  place.replaceChildren(box);
});

// What the page shows is up to date: tests wait for it.
document.addEventListener("htmx:sseOpen", () => {
  document.body.dataset.live = "1";
});
