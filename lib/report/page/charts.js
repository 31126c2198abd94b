// The figures of the page, drawn by Chart.js: each is made from plain arrays, in the colours that
// the page has at that moment, and made again when these change.
"use strict";

// Okabe and Ito's colours, which people with any colour vision tell apart; its yellow and black are
// left out, for one of them is lost on either ground.
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];
const SHAPES = ["circle", "triangle", "rectRot", "rect", "star", "crossRot"];
const OTHER = "#8a919a";
// Of viridis, from the least value to the greatest.
const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

function rampColour(share) {
  const at = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
  const low = Math.min(Math.floor(at), RAMP.length - 2);
  const mix = RAMP[low].map((value, i) => Math.round(value + (RAMP[low + 1][i] - value) * (at - low)));
  return `rgb(${mix.join(",")})`;
}

const drawn = [];

function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function takeColours() {
  Chart.defaults.color = colourOf("--text");
  Chart.defaults.borderColor = colourOf("--line");
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
}

// Draws in `parent`; `make` gives Chart.js's configuration.
function figure(parent, className, label, make) {
  const frame = document.createElement("div");
  frame.className = `figure ${className}`;
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  frame.append(canvas);
  parent.append(frame);
  const made = {canvas, make, chart: new Chart(canvas, make())};
  drawn.push(made);
}

function drawAgain() {
  takeColours();
  for (const made of drawn) {
    made.chart.destroy();
    made.chart = new Chart(made.canvas, made.make());
  }
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAgain);

// The greatest value has a label of its own, which may stand on the one before it.
function dropCrowdedLabel(scale) {
  const ticks = scale.ticks;
  const last = ticks.length - 1;
  if (last > 1 && ticks[last].value - ticks[last - 1].value < (ticks[1].value - ticks[0].value) / 2) { ticks.pop(); }
}

function axis(title, more) {
  return {title: {display: true, text: title}, ...more};
}

function lineChart(parent, label, series, xTitle, yTitle, unit) {
  figure(parent, "", label, () => ({
    type: "line",
    data: {datasets: series.map((one, i) => ({
      label: one.label, data: one.points, borderColor: PALETTE[i], backgroundColor: PALETTE[i],
      borderDash: [[], [6, 3], [2, 2]][i], borderWidth: 2, pointRadius: one.points.length < 40 ? 2 : 0,
      spanGaps: false}))},
    options: {
      parsing: false, interaction: {mode: "nearest", axis: "x", intersect: false},
      scales: {x: axis(xTitle, {type: "linear", min: 0, bounds: "data", afterBuildTicks: dropCrowdedLabel}), y: axis(yTitle, {beginAtZero: true})},
      plugins: {
        legend: {display: series.length > 1, position: "top", align: "start",
                 labels: {usePointStyle: true, pointStyle: "line", pointStyleWidth: 36}},
        tooltip: {callbacks: {
          title: (items) => items.length ? `${short(items[0].parsed.x)} ${unit}` : "",
          label: (item) => `${item.dataset.label}: ${short(item.parsed.y)}`}}}}
  }));
}

function barChart(parent, label, from, counts, width, xTitle, yTitle) {
  const name = (i) => width === 1 ? `${from[i]}` : `${from[i]} to ${from[i] + width - 1}`;
  figure(parent, "", label, () => ({
    type: "bar",
    data: {labels: from, datasets: [{data: counts, backgroundColor: PALETTE[0],
                                     categoryPercentage: 1, barPercentage: 0.92}]},
    options: {
      scales: {x: axis(xTitle, {grid: {display: false}}),
               y: axis(yTitle, {beginAtZero: true, ticks: {precision: 0}})},
      plugins: {legend: {display: false}, tooltip: {callbacks: {
        title: (items) => items.length ? name(items[0].dataIndex) : "",
        label: (item) => count(item.parsed.y)}}}}
  }));
}

function scatterChart(parent, label, groups, xTitle, yTitle, hover) {
  figure(parent, "map", label, () => ({
    type: "scatter",
    // The least in number is drawn last, so that no other hides it.
    data: {datasets: groups.map((group) => ({
      label: group.label, order: group.points.length, data: group.points, pointStyle: group.shape, pointRadius: group.radius,
      pointHoverRadius: 6, backgroundColor: group.colours, borderColor: group.colours,
      borderWidth: group.line}))},
    options: {
      // Parsed, for what is not is taken to be in the order of x.
      interaction: {mode: "nearest", intersect: true},
      scales: {x: axis(xTitle, {}), y: axis(yTitle, {})},
      plugins: {
        legend: {display: groups.length > 1, position: "top", align: "start", reverse: true,
                 labels: {usePointStyle: true}},
        tooltip: {callbacks: {label: (item) => hover(item.raw)}}}}
  }));
}
