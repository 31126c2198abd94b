// Fills the page from the JSON value in it. Every value becomes text by textContent, never markup.
"use strict";

const report = JSON.parse(document.getElementById("data").textContent);
const run = report.run;

const count = (number) => Number(number).toLocaleString("en");
const percent = (part, whole) => `${short(100 * part / whole)} %`;

// Three digits that mean something; no exponent where none is needed.
function short(number) {
  if (!Number.isFinite(number)) { return "unknown"; }
  if (number === 0) { return "0"; }
  const size = Math.abs(number);
  if (size >= 1000) { return Math.round(number).toLocaleString("en"); }
  return size < 1e-3 ? number.toExponential(1) : String(Number(number.toPrecision(3)));
}

function duration(seconds) {
  if (seconds < 90) { return `${short(seconds)} s`; }
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function at(value, ...names) {
  for (const name of names) { value = value === null || value === undefined ? value : value[name]; }
  return value === undefined ? null : value;
}

function words(value) {
  if (value === null || value === undefined) { return "none"; }
  if (typeof value === "boolean") { return value ? "yes" : "no"; }
  if (Array.isArray(value)) { return value.length ? value.map(words).join(", ") : "none"; }
  if (typeof value === "object") {
    return Object.entries(value).map(([name, one]) => `${name}: ${words(one)}`).join("; ");
  }
  return String(value);
}

function add(parent, tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) { made.textContent = text; }
  if (className) { made.className = className; }
  parent.append(made);
  return made;
}

function table(parent, head, rows, numbers = []) {
  const frame = add(parent, "div", undefined, "wide");
  const made = add(frame, "table");
  const top = add(add(made, "thead"), "tr");
  head.forEach((name, i) => add(top, "th", name, numbers.includes(i) ? "number" : ""));
  const body = add(made, "tbody");
  for (const row of rows) {
    const line = add(body, "tr");
    row.forEach((cell, i) => add(line, "td", cell, numbers.includes(i) ? "number" : ""));
  }
}

function facts(parent, rows) {
  const made = add(parent, "table", undefined, "facts");
  const body = add(made, "tbody");
  for (const [name, value] of rows) {
    if (value === null || value === undefined || value === "") { continue; }
    const line = add(body, "tr");
    add(line, "th", name).scope = "row";
    add(line, "td", value);
  }
}

const section = (id) => document.getElementById(id);
const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;
const sessions = Array.isArray(run.sessions) ? run.sessions : [];

// A session that could not say how it ended, and is over.
function killed(one, i) {
  return at(one, "state") === "running" && (run.state === "complete" || i + 1 < sessions.length);
}

// What is summed over sessions; null where none of them says it.
function summed(name) {
  const told = sessions.map((one) => at(one, "timings", name)).filter((one) => typeof one === "number");
  return told.length ? told.reduce((sum, one) => sum + one, 0) : null;
}

// Seconds in which something was embedded. Shards may have run side by side: of them the time that
// one or more of their sessions cover, to whole seconds, and no less than the longest took.
function embeddingSeconds() {
  if (sessions.every((one) => at(one, "shard") === null)) { return summed("seconds"); }
  const spans = sessions.map((one) => [Date.parse(one.start), Date.parse(one.stop)])
    .filter((span) => span.every(Number.isFinite)).sort((a, b) => a[0] - b[0]);
  let covered = 0;
  let end = -Infinity;
  for (const [start, stop] of spans) {
    covered += Math.max(0, stop - Math.max(start, end));
    end = Math.max(end, stop);
  }
  const own = new Map();
  for (const one of sessions) {
    own.set(one.shard, (own.get(one.shard) || 0) + (at(one, "timings", "seconds") || 0));
  }
  return Math.max(covered / 1000, ...own.values());
}

function showHead() {
  const name = at(run, "card", "name") || "an unknown model";
  const inputs = Array.isArray(run.input_paths) ? run.input_paths : [];
  section("title").textContent = `${plural(report.records.records, "record", "records")} embedded with ${name}`;
  document.title = `Longhaul report: ${report.output}`;
  section("subtitle").textContent = `from ${inputs.length ? inputs.join(", ") : "an unknown input"} into ${report.output}`;
  if (run.state !== "complete") {
    const box = section("state");
    box.hidden = false;
    const counted = at(run, "counts", "records");
    const rest = counted > report.records.records
      ? ` ${count(counted)} records are committed; of these the ${count(report.records.records)} in complete windows are shown.` : "";
    box.textContent = `This run is not finished: ${words(run.state)}. The page shows what was committed when it was made; ` +
      `the command that began the run continues it.${rest}`;
  }
  const card = (value, label, mood) => {
    const box = add(section("cards"), "div", undefined, `card ${mood || ""}`);
    add(box, "b", value);
    add(box, "span", label);
  };
  const records = report.records;
  card(count(records.records), run.state === "complete" ? "records" : "records so far");
  card(count(records.with_vector), "with a vector");
  card(count(records.rejected), records.rejected ? "rejected, named below" : "rejected", records.rejected ? "bad" : "good");
  if (records.duplicates) {
    card(count(records.duplicates), records.with_vector > records.ok ? "duplicates, with their original's vector" : "duplicates");
  }
  if (report.map.dimension) { card(count(report.map.dimension), "numbers in a vector"); }
  if (run.bits) { card(run.bits, run.bits === "exact" ? "bits: the same again" : "bits", run.bits === "exact" ? "good" : ""); }
  const seconds = embeddingSeconds();
  const shards = new Set(sessions.map((one) => at(one, "shard"))).size;
  if (seconds) {
    card(duration(seconds), `embedding${sessions.some(killed) ? " in the sessions that were not killed" : ""}, ` +
      `${short(summed("records") / seconds)} records/s` +
      (shards > 1 ? `; ${count(shards)} shards took ${duration(summed("seconds"))} together` : ""));
  }
}

function showRan() {
  const version = run.longhaul || {};
  const model = run.model || {};
  facts(section("ran"), [
    ["Model", words(at(run, "card", "name")) + (model.path ? `, ${model.path}` : "")],
    ["SHA-256", model.sha256],
    ["Weights", at(run, "card", "source", "weights")],
    ["Input", (Array.isArray(run.inputs) ? run.inputs : []).map((one) =>
      `${words(one.path)}${one.sha256 ? ` (SHA-256 ${one.sha256})` : ""}`).join("; ") || words(run.input_paths)],
    ["State", `${words(run.state)}${run.code === null || run.code === undefined ? "" : `, exit code ${run.code}`}`],
    ["Left out of the input", at(run, "left_out") && Object.keys(run.left_out).length ? words(run.left_out) : null],
    ["Machine", [at(run, "processor", "model"), at(run, "machine", "system"), at(run, "machine", "architecture"),
                 at(run, "machine", "cores") ? plural(run.machine.cores, "core", "cores") : null].filter(Boolean).join(", ")],
    ["Device", at(run, "machine", "device")],
    ["Program", version.longhaul ? `longhaul ${version.longhaul} (${words(version.commit)}), LibTorch ${words(version.torch)}, ${words(version.compiler)}` : null],
    ["Command", at(run, "command") ? run.command.join(" ") : null],
    ["Generation", run.generation === undefined ? null : words(run.generation)],
  ]);
  if (!sessions.length) { return; }
  add(section("ran"), "h3", sessions.length === 1 ? "One session" : `${sessions.length} sessions`);
  const moment = (text) => words(text).replace("T", " ").replace("Z", "");
  const ofShards = sessions.some((one) => at(one, "shard") !== null);
  table(section("ran"), [...(ofShards ? ["Shard"] : []), "Began (UTC)", "Ended (UTC)", "State", "Host", "Records", "Records/s", "Memory"],
    sessions.map((one, i) => [...(ofShards ? [words(one.shard)] : []), moment(one.start), moment(one.stop),
      killed(one, i) ? "killed" : words(one.state), words(one.host),
      at(one, "timings", "records") === null ? "" : count(one.timings.records),
      at(one, "timings", "records_per_second") === null ? "" : short(one.timings.records_per_second),
      words(at(one, "memory", "verdict")).replace("_", " ")]), ofShards ? [5, 6] : [4, 5]);
}

function showTrust() {
  const place = section("trust");
  const contract = run.contract || {};
  const shapes = (contract.shapes || []).map((one) => `${one.rows} x ${one.width}`).join(" and ");
  const encoder = at(sessions[sessions.length - 1], "encoder") || {};
  const golden = encoder.golden;
  const drift = encoder.drift;
  facts(place, [
    ["Bits", run.bits ? `${run.bits}${run.bits === "exact" ? ": the same command on this machine and program gives these bits again" : ""}` : null],
    ["Numeric because of", at(run, "bits_reasons") && run.bits_reasons.length ? words(run.bits_reasons) : null],
    ["Contract", contract.verdict ? `a record's vector does not depend on its neighbours: ${contract.verdict}${shapes ? `, tried in batches of ${shapes}` : ""}` : "not tried"],
    ["Golden vectors", golden && golden.checked ? `${plural(golden.checked, "vector", "vectors")} of the model's card computed again, greatest difference ${short(golden.greatest_difference)}` : "none: the model's numbers could not be checked"],
    ["Drift from float32", drift ? `least cosine ${drift.least_cosine}, greatest difference ${short(drift.greatest_difference)}` :
      (at(run, "fingerprint", "dtype") === "fp32" ? "none: computed at float32" : null)],
    ["Checksums", "not looked at for this page; longhaul verify compares every row with its own"],
  ]);
}

function showLengths() {
  const place = section("lengths");
  const real = summed("tokens");
  const computed = summed("tokens_computed");
  const lengths = report.lengths;
  if (lengths) {
    add(place, "p", `${count(lengths.least)} to ${count(lengths.greatest)} residues, median ${count(lengths.median)}; records that were accepted.`);
    barChart(place, "Histogram of the records' lengths", lengths.from, lengths.counts, lengths.width,
      lengths.width === 1 ? "length (residues)" : `length (residues, bins of ${lengths.width})`, "records");
  }
  if (real !== null && computed) {
    add(place, "p", `Padding: ${count(computed)} tokens were computed for ${count(real)} of records; ` +
      `${percent(computed - real, computed)} was padding, or rows that fill a part up to its fixed shape` +
      `${sessions.some(killed) ? ", in the sessions that were not killed" : ""}.`);
  }
  if (!lengths && !computed) { place.hidden = true; }
}

// Sessions one after the other: what lies between two of them is not drawn.
function memoryLines(memory, column, scale) {
  const points = [];
  let offset = 0;
  let last = null;
  memory.seconds.forEach((seconds, i) => {
    if (last !== null && memory.session[i] !== memory.session[i - 1]) {
      offset += last;
      points.push({x: offset, y: null});
    }
    last = seconds;
    points.push({x: offset + seconds, y: column[i] === null ? null : column[i] / scale});
  });
  return points;
}

function showMemory() {
  const place = section("memory");
  const memory = report.memory;
  const there = (column) => column.some((one) => one !== null);
  if (memory.seconds.length < 3) {
    add(place, "p", memory.samples ? "The run was too short for a curve." : "There is no memory.jsonl, or nothing in it.");
    return;
  }
  const many = memory.session[memory.session.length - 1] + 1;
  const shards = sessions.some((one) => at(one, "shard") !== null);
  const each = memory.samples > memory.seconds.length ? " Each point is the highest of several." : "";
  const peak = Math.max(...memory.rss.filter((one) => one !== null));
  add(place, "p", `${plural(memory.samples, "sample", "samples")}` +
    (Number.isFinite(peak) ? `; at most ${short(peak / 2 ** 20)} MiB resident.` : ".") + each +
    (many > 1 ? ` ${many} stretches of samples, ${shards ? "of shards that may have run side by side, drawn " : ""}one after the other; ` +
      "the time between them is left out." : "") +
    (memory.unreadable ? ` ${plural(memory.unreadable, "line", "lines")} of memory.jsonl could not be read.` : ""));
  const series = [["Resident memory", memory.rss], ["Tensors on the CPU", memory.live], ["Device", memory.device]]
    .filter(([, column]) => there(column))
    .map(([label, column]) => ({label, points: memoryLines(memory, column, 2 ** 20)}));
  add(place, "h3", "Memory");
  lineChart(place, "Memory over the time of the run", series, "time spent running (s)", "memory (MiB)", "s");
  if (there(memory.rate)) {
    add(place, "h3", "Speed");
    lineChart(place, "Records a second over the time of the run",
      [{label: "records/s", points: memoryLines(memory, memory.rate, 1)}], "time spent running (s)", "records per second", "s");
  }
}

function thumbnail(parent, picture) {
  const made = add(parent, "figure");
  if (picture.picture) {
    const image = add(made, "img");
    image.src = picture.picture;
    image.alt = picture.id;
  } else if (picture.why) {
    add(made, "div", picture.why, "none");
  }
  add(made, "figcaption", `row ${picture.row}: ${picture.id}`);
}

function showRejects() {
  const place = section("rejects");
  if (!report.rejects.length) {
    add(place, "p", "None.");
    return;
  }
  table(place, ["Reason", "Records"], report.rejects.map((one) => [one.reason, count(one.count)]), [1]);
  for (const one of report.rejects) {
    const some = one.count > one.examples.length ? `the first ${one.examples.length} of ${count(one.count)}` : `all ${count(one.count)}`;
    add(place, "h3", `${one.reason}: ${one.count === 1 ? "the one record" : some}`);
    table(place, ["Row", "Id", "Where", "What"], one.examples.map((example) => [count(example.row), example.id,
      example.line ? `${example.source}, line ${count(example.line)}` : example.source, example.message]), [0]);
    const pictures = one.examples.filter((example) => example.thumbnail);
    if (pictures.length) {
      const row = add(place, "div", undefined, "pictures");
      pictures.forEach((example) => thumbnail(row, example.thumbnail));
    }
  }
  add(place, "p", "rejects.csv lists them all.", "note");
}

function showDuplicates() {
  const place = section("duplicates");
  if (!report.records.duplicates) {
    place.hidden = true;
    return;
  }
  add(place, "p", `${plural(report.records.duplicates, "record repeats", "records repeat")} an earlier one` +
    (report.pairs.length < report.records.duplicates ? `; the first ${report.pairs.length}:` : ":"));
  if (!report.images) {
    table(place, ["First", "Repeated by"], report.pairs.map((pair) => [`row ${count(pair.first.row)}: ${pair.first.id}`,
      `row ${count(pair.duplicate.row)}: ${pair.duplicate.id}`]));
    return;
  }
  const row = add(place, "div", undefined, "pictures");
  for (const pair of report.pairs) {
    const box = add(row, "div", undefined, "pair");
    thumbnail(box, pair.first);
    thumbnail(box, pair.duplicate);
  }
}

// Groups of points by the colour column: its most frequent values, or one group on a ramp of colours.
function mapGroups(points, name) {
  const made = points.x.map((x, i) => ({x, y: points.y[i], id: points.id[i], row: points.row[i], value: points.value[i]}));
  const plain = {radius: 3, line: 0, shape: "circle"};
  if (name === null) { return {groups: [{...plain, label: "records", points: made, colours: PALETTE[0]}]}; }
  const counts = new Map();
  for (const one of made) { counts.set(one.value, (counts.get(one.value) || 0) + 1); }
  const given = made.filter((one) => one.value.trim() !== "");
  const numbers = given.map((one) => Number(one.value));
  if (new Set(numbers).size > 8 && numbers.every(Number.isFinite)) {
    const least = Math.min(...numbers);
    const greatest = Math.max(...numbers);
    const groups = [{...plain, label: name, points: given,
                     colours: numbers.map((one) => rampColour((one - least) / (greatest - least)))}];
    const rest = made.filter((one) => one.value.trim() === "");
    if (rest.length) { groups.push({...plain, label: "no value", points: rest, colours: OTHER}); }
    return {groups, least, greatest};
  }
  const values = [...counts].filter(([value]) => value !== "").sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const named = values.slice(0, PALETTE.length).map(([value]) => value);
  const groups = named.map((value, i) => ({label: `${value} (${count(counts.get(value))})`, radius: 3.5,
    line: SHAPES[i] === "star" || SHAPES[i] === "crossRot" ? 1.5 : 0, shape: SHAPES[i], colours: PALETTE[i],
    points: made.filter((one) => one.value === value)}));
  const others = made.filter((one) => one.value !== "" && !named.includes(one.value));
  if (others.length) {
    groups.unshift({...plain, radius: 2, label: `${plural(values.length - named.length, "other value", "other values")} (${count(others.length)})`, points: others, colours: OTHER});
  }
  const none = made.filter((one) => one.value === "");
  if (none.length) { groups.unshift({...plain, radius: 2, label: `no value (${count(none.length)})`, points: none, colours: OTHER}); }
  return {groups};
}

function showMap() {
  const place = section("map");
  const map = report.map;
  if (map.why) {
    add(place, "p", `There is no map: ${map.why}.`);
    return;
  }
  const points = map.points;
  const shown = points.x.length;
  add(place, "p", `Principal components of ${count(map.rows)} vectors of ${count(map.dimension)} numbers (${map.array}` +
    (report.records.with_vector > report.records.ok ? ", duplicates left out); " : "); ") +
    (shown < map.rows ? `${count(shown)} of them are drawn, evenly chosen over the rows` : "all of them are drawn") +
    (map.colour === null ? "." : `, coloured by ${map.colour}.`) +
    (map.not_finite ? ` ${plural(map.not_finite, "row is", "rows are")} not finite and left out.` : ""));
  const {groups, least, greatest} = mapGroups(points, map.colour);
  if (least !== undefined) {
    const ramp = add(place, "div", undefined, "ramp");
    add(ramp, "span", `${map.colour} ${short(least)}`);
    add(ramp, "i").style.background = `linear-gradient(90deg, ${[0, .25, .5, .75, 1].map(rampColour).join(", ")})`;
    add(ramp, "span", short(greatest));
  }
  const title = (number) => `component ${number} (${short(100 * (map.shares[number - 1] || 0))} % of the variance)`;
  scatterChart(place, "Map of the vectors by principal components", groups, title(1), title(2), (point) =>
    [`${point.id}`, `row ${count(point.row)}`, ...(map.colour === null ? [] : [`${map.colour}: ${point.value || "no value"}`])]);
  add(place, "p", "Point at a mark to see its id. Distances on the map are of these two directions alone.", "note");
}

function showSettings() {
  const fingerprint = run.fingerprint || {};
  facts(section("settings"), Object.entries(fingerprint).map(([name, value]) => [name, words(value)]));
  add(section("settings"), "p", "run.json beside the vectors has all settings, and where each came from.", "note");
}

takeColours();
for (const show of [showHead, showRan, showTrust, showLengths, showMemory, showRejects, showDuplicates, showMap,
                    showSettings]) {
  show();
}
section("footer").textContent = `Made by longhaul ${report.version} on ${report.made} from ${report.output}. Figures by Chart.js (MIT licence; its notice is in this page's source).`;
