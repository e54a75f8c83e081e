// A treemap that is squarified: Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000).

// In pixels: the area of a cell that can be aimed at, what is wide and high enough for a title, the
// side of a folder in which more than the kind of most files can be told, and of what can be seen.
const LEAST_CELL = 24 * 24;
const TITLED = { width: 64, cell: 26, folder: 40, file: 18 };
const LEAST_FOLDER = 18;
const LEAST_BOX = 3;
// The heights of titles with their frames, as page.css has them, and of frames alone.
const HEADS = { cell: 24, box: 19, bare: 4 };
const FEWEST_CELLS = 12;
const MOST_BOXES = 2500;

/** Rectangles {item, x, y, width, height} that fill a room, for items with the heaviest first. */
function squarify(items, weigh, room) {
  const placed = [];
  let { x, y, width, height } = room;
  let left = items.reduce((sum, item) => sum + weigh(item), 0);
  for (let start = 0; start < items.length;) {
    const side = Math.min(width, height);
    const scale = (width * height) / left;
    const { end, weight } = findRow(items, weigh, start, side, scale);
    const thickness = (weight * scale) / side;
    const isColumn = width >= height;
    let along = isColumn ? y : x;
    for (const item of items.slice(start, end)) {
      const length = (side * weigh(item)) / weight;
      placed.push(
        isColumn
          ? { item, x, y: along, width: thickness, height: length }
          : { item, x: along, y, width: length, height: thickness },
      );
      along += length;
    }
    if (isColumn) [x, width] = [x + thickness, Math.max(width - thickness, 0)];
    else [y, height] = [y + thickness, Math.max(height - thickness, 0)];
    left -= weight;
    start = end;
  }
  return placed;
}

/** The row from `start` on: it takes items as long as its worst shape gets better. */
function findRow(items, weigh, start, side, scale) {
  const heaviest = weigh(items[start]) * scale;
  let end = start;
  let weight = 0;
  let worst = Infinity;
  while (end < items.length) {
    const lightest = weigh(items[end]) * scale;
    const area = weight * scale + lightest;
    const shape = Math.max(
      (side * side * heaviest) / area ** 2,
      area ** 2 / (side * side * lightest),
    );
    if (shape > worst) break;
    worst = shape;
    weight += weigh(items[end]);
    end += 1;
  }
  return { end, weight };
}

/** A node of the tree, from its form in the data: see azpack/report/size_tree.py. */
function readNode([name, second, unpacked, kindIndex]) {
  if (Array.isArray(second)) return makeFolder(name, second.map(readNode));
  const kind = DATA.kinds[kindIndex];
  const sizes = DATA.kinds.map((each) =>
    each === kind ? { packed: second, unpacked } : { packed: 0, unpacked: 0 },
  );
  const isNamed = typeof name === "string";
  const shown = isNamed ? name : `${count(name, "smaller file")} (${kindText(kind)})`;
  const files = isNamed ? 1 : name;
  return { name: shown, children: null, kind, files, packed: second, unpacked, sizes };
}

/** A folder of these children; `sizes` are by kind, in the order of DATA.kinds. */
function makeFolder(name, children) {
  const sum = (pick) => children.reduce((total, child) => total + pick(child), 0);
  const sizes = DATA.kinds.map((_, index) => ({
    packed: sum((child) => child.sizes[index].packed),
    unpacked: sum((child) => child.sizes[index].unpacked),
  }));
  const [files, packed, unpacked] = ["files", "packed", "unpacked"].map((each) =>
    sum((child) => child[each]),
  );
  return { name, children, files, packed, unpacked, sizes };
}

/** The kind of a file, or of most of what is in a folder. */
function kindOf(node) {
  const packed = node.sizes.map((size) => size.packed);
  return node.kind ?? DATA.kinds[packed.indexOf(Math.max(...packed))];
}

function bySize(children, measure) {
  return [...children].sort((one, other) => other[measure] - one[measure]);
}

/** What a node's cells are: those too small to be aimed at are together in one, which opens too. */
function cellsOf(node, measure, area) {
  const sorted = bySize(node.children, measure);
  const least = (node[measure] * LEAST_CELL) / area;
  const large = sorted.filter((child) => child[measure] >= least).length;
  const enough = Math.max(large, FEWEST_CELLS);
  if (sorted.length - enough < 2) return sorted;
  const small = sorted.slice(enough);
  const together = makeFolder(`${small.length.toLocaleString("en")} smaller`, small);
  return [...sorted.slice(0, enough), together];
}

class Treemap {
  /**
   * Draw `root` into `element`. `onShow` is called with the nodes that lead to the one shown,
   * `onPoint` with those around what is pointed at, the outermost first.
   */
  constructor(element, root, { onShow, onPoint }) {
    this.element = element;
    this.trail = [root];
    this.measure = "packed";
    this.onShow = onShow;
    this.onPoint = onPoint;
    this.nodes = new WeakMap();
    element.addEventListener("keydown", (event) => this.key(event));
    element.addEventListener("click", (event) => this.click(event));
    for (const kind of ["focusin", "mouseover"]) {
      element.addEventListener(kind, (event) => this.point(event.target));
    }
    element.addEventListener("mouseleave", () => this.point(document.activeElement));
    new ResizeObserver(() => requestAnimationFrame(() => this.resized())).observe(element);
  }

  get shown() {
    return this.trail.at(-1);
  }

  show(trail, { focus = null } = {}) {
    this.trail = trail;
    this.draw();
    this.onShow(trail);
    if (focus !== null) this.focusNamed(focus);
  }

  /** Focus the cell of this name, or where there is none the first. */
  focusNamed(name) {
    this.focus(this.cells.find((cell) => this.nodes.get(cell).name === name) ?? this.cells[0]);
  }

  setMeasure(measure) {
    this.measure = measure;
    this.show(this.trail);
  }

  open(cell) {
    const node = this.nodes.get(cell);
    if (!node.children) return;
    const from = {
      x: cell.offsetLeft + cell.offsetWidth / 2,
      y: cell.offsetTop + cell.offsetHeight / 2,
    };
    this.show([...this.trail, node], { focus: "" });
    this.move(from, 0.92);
  }

  close() {
    if (this.trail.length === 1) return;
    const { name } = this.shown;
    this.show(this.trail.slice(0, -1), { focus: name });
    this.move({ x: this.element.offsetWidth / 2, y: this.element.offsetHeight / 2 }, 1.04);
  }

  /** Let what was drawn come in from a point, where motion is welcome. */
  move({ x, y }, scale) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const origin = `${x}px ${y}px`;
    this.element.animate(
      [
        { opacity: 0.3, transform: `scale(${scale})`, transformOrigin: origin },
        { opacity: 1, transform: "none", transformOrigin: origin },
      ],
      { duration: 160, easing: "ease-out" },
    );
  }

  resized() {
    const size = `${this.element.clientWidth} ${this.element.clientHeight}`;
    if (size === this.drawnSize) return;
    const focused = this.nodes.get(document.activeElement);
    this.draw();
    if (focused) this.focusNamed(focused.name);
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.element;
    this.drawnSize = `${width} ${height}`;
    this.boxes = 0;
    const node = this.shown;
    const least = (node[this.measure] * LEAST_CELL) / (width * height) || 1;
    const weigh = (child) => Math.max(child[this.measure], least);
    const cells = cellsOf(node, this.measure, width * height).sort(
      (one, other) => weigh(other) - weigh(one),
    );
    const placed = squarify(cells, weigh, { x: 0, y: 0, width, height });
    this.cells = placed.map((place) => this.makeCell(place, width, height));
    this.cells.forEach((cell, index) => (cell.tabIndex = index ? -1 : 0));
    this.element.replaceChildren(...this.cells);
    this.element.setAttribute("aria-label", `Treemap of sizes: ${node.name}`);
  }

  makeCell(place, wholeWidth, wholeHeight) {
    const node = place.item;
    const cell = make("button", { type: "button", className: `cell ${node.kind ?? ""}` });
    const share = percent(node[this.measure], this.shown[this.measure]);
    const size = formatSize(node[this.measure]);
    const files = node.children ? `, ${count(node.files, "file")}, opens` : "";
    cell.setAttribute("aria-label", `${node.name}, ${size} ${this.measure}, ${share}${files}`);
    if (!node.children) cell.setAttribute("aria-disabled", "true");
    this.nodes.set(cell, node);
    setPlace(cell, place, wholeWidth, wholeHeight);
    const isTitled = place.width >= TITLED.width && place.height >= TITLED.cell;
    if (isTitled) cell.append(makeLabel(node.name, place.width > 150 ? size : ""));
    const head = isTitled ? HEADS.cell : HEADS.bare;
    if (node.children) this.fill(cell, node, place, head);
    return cell;
  }

  /** Draw what is in a folder below its head, as far as it can be seen; it is for the eye alone. */
  fill(outer, node, place, head) {
    const [width, height] = [place.width - HEADS.bare, place.height - head];
    const className = head === HEADS.bare ? "inside bare" : "inside";
    const inside = make("span", { className, "aria-hidden": "true" });
    const children = bySize(node.children, this.measure).filter((child) => child[this.measure] > 0);
    const isRoom = Math.min(width, height) >= 2 * LEAST_BOX;
    const room = { x: 0, y: 0, width, height };
    for (const each of isRoom ? squarify(children, (child) => child[this.measure], room) : []) {
      if (this.boxes >= MOST_BOXES) break;
      if (!(Math.min(each.width, each.height) >= LEAST_BOX)) continue; // nor where no room is left
      this.boxes += 1;
      inside.append(this.makeBox(each, width, height));
    }
    if (inside.childElementCount) outer.append(inside);
    else outer.classList.add(kindOf(node));
  }

  makeBox(place, wholeWidth, wholeHeight) {
    const node = place.item;
    const isFlat = !node.children || Math.min(place.width, place.height) < LEAST_FOLDER;
    const box = make("span", { className: `box ${isFlat ? kindOf(node) : ""}` });
    this.nodes.set(box, node);
    setPlace(box, place, wholeWidth, wholeHeight);
    const least = node.children ? TITLED.folder : TITLED.file;
    const isTitled = place.width >= TITLED.width && place.height >= least;
    if (isTitled) box.append(make("b", {}, node.name));
    if (!isFlat) this.fill(box, node, place, isTitled ? HEADS.box : HEADS.bare);
    return box;
  }

  focus(cell) {
    for (const other of this.cells) other.tabIndex = other === cell ? 0 : -1;
    cell?.focus({ preventScroll: true });
  }

  key(event) {
    const cell = event.target.closest(".cell");
    if (!cell || event.altKey || event.ctrlKey || event.metaKey) return;
    const target = {
      ArrowLeft: () => this.beside(cell, -1, 0),
      ArrowRight: () => this.beside(cell, 1, 0),
      ArrowUp: () => this.beside(cell, 0, -1),
      ArrowDown: () => this.beside(cell, 0, 1),
      Home: () => this.cells[0],
      End: () => this.cells.at(-1),
    }[event.key];
    if (target) this.focus(target() ?? cell);
    else if (event.key === "Escape" || event.key === "Backspace") this.close();
    else return;
    event.preventDefault();
  }

  /** The nearest cell in a direction; what lies straight ahead is nearer than what lies aside. */
  beside(cell, right, down) {
    const centre = ({ offsetLeft, offsetTop, offsetWidth, offsetHeight }) => [
      offsetLeft + offsetWidth / 2,
      offsetTop + offsetHeight / 2,
    ];
    const [x, y] = centre(cell);
    let nearest = null;
    let least = Infinity;
    for (const other of this.cells) {
      const [toX, toY] = centre(other);
      const ahead = (toX - x) * right + (toY - y) * down;
      const aside = Math.abs((toX - x) * down) + Math.abs((toY - y) * right);
      const distance = ahead + 2 * aside;
      if (ahead > 0.5 && distance < least) [nearest, least] = [other, distance];
    }
    return nearest;
  }

  click(event) {
    const cell = event.target.closest(".cell");
    if (cell) this.open(cell);
  }

  /** Tell which nodes stand around what is pointed at, the outermost first. */
  point(target) {
    const nodes = [];
    for (let at = target; at && this.element.contains(at); at = at.parentElement) {
      if (this.nodes.has(at)) nodes.unshift(this.nodes.get(at));
    }
    this.onPoint(nodes);
  }
}

function makeLabel(name, size) {
  const parts = [make("b", {}, name), ...(size ? [make("span", {}, size)] : [])];
  return make("span", { className: "label", "aria-hidden": "true" }, ...parts);
}

function setPlace(element, place, width, height) {
  const share = (part, whole) => `${((100 * part) / whole).toFixed(3)}%`;
  Object.assign(element.style, {
    left: share(place.x, width),
    top: share(place.y, height),
    width: share(place.width, width),
    height: share(place.height, height),
  });
}
