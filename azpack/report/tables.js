// Elements, numbers and tables, as all of the page makes them. Text gets in by textContent alone.

function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** A number of bytes as azpack writes it, in powers of 1000. */
function formatSize(size) {
  let value = size;
  for (const unit of ["B", "kB", "MB"]) {
    if (value < 1000) return `${value.toFixed(unit === "B" || value >= 100 ? 0 : 1)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} GB`;
}

function count(number, noun, plural = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
}

function percent(part, whole) {
  const share = whole ? (100 * part) / whole : 0;
  return share > 0 && share < 0.1 ? "under 0.1 %" : `${share.toFixed(share < 10 ? 1 : 0)} %`;
}

/**
 * A table that is sorted by its columns' titles.
 *
 * A column is {title, value, show, kind}: `value` of a row is what it is sorted by, `show` what
 * stands in the cell (by default the value), `kind` text, path, number or size. A column of sizes
 * has bars. The first column names the row; `sorted` is the column that it is sorted by at first.
 */
function makeTable({ caption, columns, rows, sorted }) {
  const body = make("tbody");
  const heads = columns.map((column) => {
    const button = make("button", { type: "button" }, column.title);
    const head = make("th", { scope: "col", className: isNumber(column) ? "number" : "" }, button);
    button.addEventListener("click", () => sort(column, head));
    return head;
  });
  const largest = new Map(
    columns.map((column) => [column, Math.max(0, ...rows.map(column.value).filter(Number))]),
  );
  const lines = rows.map((row) => ({
    row,
    line: make(
      "tr",
      {},
      ...columns.map((column, index) => makeEntry(column, row, index === 0, largest.get(column))),
    ),
  }));

  function sort(column, head) {
    const first = isNumber(column) ? "descending" : "ascending";
    const turned = { ascending: "descending", descending: "ascending" };
    const order = turned[head.getAttribute("aria-sort")] ?? first;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    lines.sort((one, other) => sign * compare(column.value(one.row), column.value(other.row)));
    body.replaceChildren(...lines.map(({ line }) => line));
  }

  sort(sorted, heads[columns.indexOf(sorted)]);
  const table = make(
    "table",
    {},
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...heads)),
    body,
  );
  const frame = make("div", { className: "wide", role: "group", "aria-label": caption }, table);
  // Only what does not fit has to be reached by keyboard, to be scrolled.
  const update = () => {
    if (frame.scrollWidth > frame.clientWidth) frame.tabIndex = 0;
    else frame.removeAttribute("tabindex");
  };
  new ResizeObserver(update).observe(frame);
  return frame;
}

function isNumber({ kind }) {
  return kind === "number" || kind === "size";
}

function compare(one, other) {
  if (typeof one === "number") return one - other;
  return COLLATOR.compare(one ?? "", other ?? "");
}

const COLLATOR = new Intl.Collator("en", { numeric: true });

function makeEntry({ kind = "text", value, show = value }, row, isName, largest) {
  const name = isName ? "th" : "td";
  const entry = make(name, { className: isNumber({ kind }) ? "number" : kind });
  if (isName) entry.scope = "row";
  if (kind === "size") {
    const bar = make("span");
    bar.style.width = `${largest ? (100 * value(row)) / largest : 0}%`;
    entry.append(
      formatSize(value(row)),
      make("span", { className: "bar", "aria-hidden": "true" }, bar),
    );
  } else if (kind === "number") {
    entry.append(value(row).toLocaleString("en"));
  } else {
    entry.append(show(row) ?? "");
  }
  return entry;
}
