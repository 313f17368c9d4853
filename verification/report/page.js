"use strict";
const rows = [...document.querySelectorAll(".invariant")];
const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
const search = document.getElementById("search");
const wanted = document.getElementById("status");
const found = document.getElementById("found");

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const active = words.length > 0 || wanted.value !== "";
  let count = 0;
  for (const row of rows) {
    const fits = words.every((word) => texts.get(row).includes(word)) && (!wanted.value || row.dataset.status === wanted.value);
    row.hidden = !fits;
    count += fits;
  }
  for (const section of document.querySelectorAll(".criterion")) {
    section.hidden = active && !section.querySelector(".invariant:not([hidden])");
  }
  found.textContent = active ? `${count} of ${rows.length}` : "";
}

function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let place = target; place; place = place.parentElement) {
    if (place.tagName === "DETAILS") place.open = true;
  }
  if (target) target.scrollIntoView();
}

search.addEventListener("input", filter);
wanted.addEventListener("change", filter);
addEventListener("hashchange", reveal);
addEventListener("beforeprint", () => document.querySelectorAll(".invariant, .code.contract").forEach((one) => (one.open = true)));
reveal();
filter();
