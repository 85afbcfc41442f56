// What a page cannot do without a script beyond htmx: the count in the title,
// how far an upload has come, files dropped on the form, and a word before a
// file is sent that is too large. Everything else works without this file.
"use strict";

// The number of unseen alerts stands in the title as well as in the bar.
const retitle = () => {
  const count = document.querySelector("#count [data-unseen]");
  if (!count) return;
  const bare = document.title.replace(/^\(\d+\) /, "");
  const number = Number(count.dataset.unseen);
  document.title = number > 0 ? `(${number}) ${bare}` : bare;
};
document.addEventListener("htmx:sseMessage", (event) => {
  if (event.target.id !== "count") return;
  event.target.dataset.live = "1"; // the page hears its node
  retitle();
});

// An upload says how much has been sent; then the node reads it, and nobody
// knows how long that takes, so the bar says no number.
document.addEventListener("htmx:xhr:progress", (event) => {
  const bar = event.target.querySelector(".progress progress");
  if (!bar || !event.detail.lengthComputable) return;
  const { loaded, total } = event.detail;
  const says = bar.nextElementSibling;
  if (loaded < total) {
    bar.max = total;
    bar.value = loaded;
    says.textContent = `Sending: ${Math.floor((100 * loaded) / total)} %`;
  } else {
    bar.removeAttribute("value");
    says.textContent = bar.dataset.doing;
  }
});

// A connection that breaks is told like everything else that goes wrong.
document.addEventListener("htmx:sendError", (event) => {
  const place = event.target.querySelector(".problem-place");
  if (place) tell(place, "The node did not answer.", "Check the connection and try again: what you typed is still here.");
});

const tell = (place, text, hint) => {
  const box = document.createElement("div");
  box.className = "answer problem";
  box.setAttribute("role", "alert");
  const strong = document.createElement("strong");
  strong.textContent = text;
  box.append(strong, " ", hint);
  place.replaceChildren(box);
};

for (const field of document.querySelectorAll("input[type=file][data-most]")) {
  const form = field.form;
  const place = form.querySelector(".problem-place");
  const most = Number(field.dataset.most);

  form.addEventListener("htmx:beforeRequest", (event) => {
    let size = 0;
    for (const file of field.files) size += file.size;
    if (size <= most) return;
    event.preventDefault();
    const megabytes = (n) => `${Math.ceil(n / 1048576)} MB`;
    tell(place, `These files have ${megabytes(size)}; the node takes ${megabytes(most)} at once.`, "Split them, and hand the parts in one after another.");
  });

  const drop = field.closest(".drop");
  for (const name of ["dragenter", "dragover"]) {
    form.addEventListener(name, (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    form.addEventListener(name, () => drop.classList.remove("over"));
  }
  form.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    field.files = event.dataTransfer.files;
  });
}
