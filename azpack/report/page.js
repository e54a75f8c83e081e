// The page: what the head, the sections and their tables say.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SEVERITIES = { error: "error", warning: "warning", info: "note" };

const at = (id) => document.getElementById(id);

function kindText(kind) {
  return { python: "Python", native: "native code", other: "other" }[kind];
}

function showHead() {
  const found = Object.entries(SEVERITIES).filter(([severity]) => DATA.counts[severity]);
  const pills = found.map(([severity, noun]) =>
    make("a", { href: "#findings", className: severity }, count(DATA.counts[severity], noun)),
  );
  if (!pills.length) pills.push(make("span", {}, "nothing found"));
  at("verdict").append(...pills.map((pill) => make("li", {}, pill)));
  const { package: zip, limits, counts, target, native } = DATA;
  at("figures").append(
    makeFigure("Packed", formatSize(zip.size), zip.size, limits.packed),
    makeFigure(
      "Unpacked",
      formatSize(zip.uncompressed_size),
      zip.uncompressed_size,
      limits.unpacked,
    ),
    makeFigure("Entries", zip.entries.toLocaleString("en")),
    makeFigure(
      "Functions",
      counts.functions.toLocaleString("en"),
      0,
      null,
      DATA.models.length ? `model ${DATA.models.join(" and ")}` : "",
    ),
    makeFigure(
      "Distributions",
      counts.distributions.toLocaleString("en"),
      0,
      null,
      counts.native ? `${counts.native} with native code` : "",
    ),
  );
  const needs = native.glibc ? `, needs glibc ${native.glibc}` : "";
  const facts = {
    Target: `Functions ${target.functions}, Python ${target.python}, glibc ${target.glibc}, ${target.plan} plan`,
    "Python by": target.grounds,
    Native: native.files
      ? `${count(native.files, "file")} for ${native.machines.join(", ")}${needs}`
      : "no native code",
    Digest: zip.content_digest,
    "SHA-256": zip.sha256,
  };
  for (const [term, text] of Object.entries(facts)) {
    if (!text) continue;
    const isHash = text === zip.content_digest || text === zip.sha256;
    at("facts").append(
      make("div", {}, make("dt", {}, term), make("dd", { className: isHash ? "path" : "" }, text)),
    );
  }
}

function makeFigure(term, text, size = 0, limit = null, note = "") {
  const figure = make("div", {}, make("dt", {}, term), make("dd", {}, text));
  if (limit) {
    const share = size / limit.size;
    const bar = make("span", { className: share > 1 ? "over" : share > 0.8 ? "nearly" : "" });
    bar.style.width = `${Math.min(100 * share, 100)}%`;
    const said = `${percent(size, limit.size)} of ${limit.text}, the most on this plan`;
    figure.append(
      make("dd", {}, make("div", { className: "meter", "aria-hidden": "true" }, bar), said),
    );
  }
  if (note) figure.append(make("dd", {}, note));
  return figure;
}

function makeNote(text) {
  return make("p", { className: "note" }, text);
}

/** Write beside a section's title how much there is, and say what is left out. */
function head(id, total, shown) {
  at(`${id}-title`).append(" ", make("small", {}, total.toLocaleString("en")));
  if (shown < total)
    at(id).append(
      makeNote(`The first ${count(shown, "row")} of ${total.toLocaleString("en")} are shown.`),
    );
}

function showSizes() {
  const root = readNode(DATA.tree);
  if (!root.children.length) {
    at("sizes").replaceChildren(at("sizes-title"), makeNote("There is no file in the package."));
    return;
  }
  const map = new Treemap(at("map"), root, {
    onShow: (trail) => {
      showTrail(map, trail);
      showLegend(map);
      showDetail(map, []);
      showListing(map);
    },
    onPoint: (nodes) => showDetail(map, nodes),
  });
  at("measure").addEventListener("change", (event) => map.setMeasure(event.target.value));
  at("listing").addEventListener("toggle", () => showListing(map));
  map.show([root]);
}

function showTrail(map, trail) {
  const steps = trail.map((node, index) => {
    const next = trail[index + 1];
    if (!next) return make("span", { "aria-current": "true" }, node.name);
    const button = make("button", { type: "button" }, node.name);
    button.addEventListener("click", () =>
      map.show(trail.slice(0, index + 1), { focus: next.name }),
    );
    return button;
  });
  at("trail").replaceChildren(...steps.map((step) => make("li", {}, step)));
  const node = trail.at(-1);
  at("said").textContent =
    `${node.name}: ${count(node.children.length, "item")}, ${formatSize(node[map.measure])} ${map.measure}`;
}

function showLegend(map) {
  const { sizes } = map.shown;
  const rows = DATA.kinds.map((kind, index) =>
    make(
      "li",
      {},
      make("span", { className: `swatch ${kind}`, "aria-hidden": "true" }),
      `${kindText(kind)} ${formatSize(sizes[index][map.measure])}`,
    ),
  );
  at("legend").replaceChildren(...rows);
}

function showDetail(map, nodes) {
  const node = nodes.at(-1) ?? map.shown;
  const name = nodes.length ? nodes.map((each) => each.name).join("/") : node.name;
  const parts = [`${formatSize(node.packed)} packed`, `${formatSize(node.unpacked)} unpacked`];
  if (nodes.length)
    parts.push(`${percent(node[map.measure], map.shown[map.measure])} of ${map.shown.name}`);
  if (node.files !== 1) parts.push(count(node.files, "file"));
  const isWhole = !nodes.length && map.trail.length === 1;
  const own = isWhole
    ? `; the zip's own headers take ${formatSize(DATA.package.size - node.packed)}`
    : "";
  at("detail").replaceChildren(
    make("span", { className: "path" }, name),
    ` – ${parts.join(", ")}${own}`,
  );
}

function showListing(map) {
  if (!at("listing").open) return;
  const whole = map.shown;
  const size = { title: "Packed", kind: "size", value: (node) => node.packed };
  const unpacked = { title: "Unpacked", kind: "size", value: (node) => node.unpacked };
  const table = makeTable({
    caption: `Sizes in ${whole.name}`,
    rows: whole.children,
    sorted: map.measure === "packed" ? size : unpacked,
    columns: [
      {
        title: "Name",
        kind: "path",
        value: (node) => node.name,
        show: (node) => makeOpener(map, node),
      },
      size,
      unpacked,
      { title: "Files", kind: "number", value: (node) => node.files },
    ],
  });
  at("listing").querySelector("div").replaceChildren(table);
}

function makeOpener(map, node) {
  if (!node.children) return node.name;
  const button = make("button", { type: "button" }, node.name);
  button.addEventListener("click", () => {
    map.show([...map.trail, node]);
    at("listing").querySelector("summary").focus();
  });
  return button;
}

function showFunctions() {
  const { counts, functions, unknown } = DATA;
  head("functions", counts.functions, functions.length);
  const name = { title: "Function", value: (row) => row.name ?? "(its name is made when it runs)" };
  if (functions.length) {
    at("functions").append(
      makeTable({
        caption: "Functions",
        rows: functions,
        sorted: name,
        columns: [
          name,
          { title: "Trigger", value: (row) => row.trigger ?? "?" },
          { title: "Route", kind: "path", value: (row) => row.route },
          {
            title: "Script",
            kind: "path",
            value: (row) => (row.line ? `${row.script}:${row.line}` : row.script),
          },
          { title: "Model", value: (row) => row.model },
        ],
      }),
    );
  } else {
    at("functions").append(makeNote("No function was found."));
  }
  at("functions").append(
    ...unknown.map((text) => makeNote(`More may be made when it runs: ${text}`)),
  );
}

function showDistributions() {
  const { counts, distributions } = DATA;
  head("distributions", counts.distributions, distributions.length);
  if (!distributions.length) {
    at("distributions").append(makeNote("There is none in the package."));
    return;
  }
  const packed = { title: "Packed", kind: "size", value: (row) => row.compressed_size };
  at("distributions").append(
    makeTable({
      caption: "Distributions",
      rows: distributions,
      sorted: packed,
      columns: [
        { title: "Distribution", value: (row) => row.name },
        { title: "Version", value: (row) => row.version },
        packed,
        { title: "Unpacked", kind: "size", value: (row) => row.size },
        { title: "Files", kind: "number", value: (row) => row.files },
        { title: "Code", value: (row) => (row.native ? "native" : "Python") },
      ],
    }),
  );
}

function showLargest() {
  if (!DATA.largest.length) {
    at("largest").append(makeNote("There is none in the package."));
    return;
  }
  const packed = { title: "Packed", kind: "size", value: (row) => row.compressed_size };
  at("largest").append(
    makeTable({
      caption: "Largest files",
      rows: DATA.largest,
      sorted: packed,
      columns: [
        { title: "File", kind: "path", value: (row) => row.path },
        { title: "Distribution", value: (row) => row.distribution ?? "" },
        packed,
        { title: "Unpacked", kind: "size", value: (row) => row.size },
      ],
    }),
  );
}

showHead();
showSizes();
showFindings();
showFunctions();
showDistributions();
showLargest();
