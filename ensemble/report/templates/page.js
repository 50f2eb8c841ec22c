"use strict";

function valueOf(row, index) {
  const raw = row.cells[index].dataset.value;
  const number = Number(raw);
  return raw === "" ? null : Number.isNaN(number) ? raw : number;
}

// Empty cells stay last whichever way the others go.
function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}

function sortTable(table, index) {
  const head = table.tHead.rows[0].cells[index];
  const numeric = head.classList.contains("number");
  const now = head.getAttribute("aria-sort");
  const order = now === null ? (numeric ? "descending" : "ascending")
    : now === "ascending" ? "descending" : "ascending";
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compare(valueOf(a, index), valueOf(b, index), sign));
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  if (table.tBodies[0].rows.length < 2) continue;
  [...table.tHead.rows[0].cells].forEach((cell, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Sort by ${cell.textContent.trim()}`);
    button.addEventListener("click", () => sortTable(table, index));
    cell.append(button);
  });
}

function makeSlider(shots) {
  const name = shots.closest("article").dataset.name;
  const range = document.createElement("input");
  range.type = "range";
  range.min = 0;
  range.max = 100;
  range.value = 50;
  range.setAttribute("aria-label", `${name}: how much of the other picture is shown`);
  const move = () => shots.style.setProperty("--at", `${range.value}%`);
  range.addEventListener("input", move);
  move();
  shots.classList.add("slider");
  shots.append(shots.querySelector(".outline"), range);
}

const gallery = document.getElementById("gallery");
if (gallery) {
  const shots = [...gallery.querySelectorAll(".shots")];
  shots.forEach(makeSlider);
  document.querySelector(".tools").hidden = false;
  document.getElementById("other").addEventListener("change", (event) => {
    for (const one of shots) one.dataset.other = event.target.value;
  });
  document.getElementById("outline").addEventListener("change", (event) => {
    gallery.classList.toggle("without-outline", !event.target.checked);
  });
  document.getElementById("order").addEventListener("change", (event) => {
    const sign = event.target.value.startsWith("-") ? -1 : 1;
    const key = event.target.value.replace("-", "");
    const value = (card) => key === "name" ? card.dataset.name : Number(card.dataset[key]);
    gallery.append(...[...gallery.children].sort((a, b) => compare(value(a), value(b), sign)));
  });
}
