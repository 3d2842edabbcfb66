// Plots, drawn as SVG at the width of their place, so that their letters keep their size. Each has
// a name for who does not see it, and the same figures as a table below it.

const SVG = "http://www.w3.org/2000/svg";

/** An element of HTML with attributes and what is in it. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Round steps of an axis from the least to the greatest value, about so many; counts in whole ones. */
export function steps(least, greatest, about, whole = false) {
  const raw = Math.max((greatest - least) / about || 1, whole ? 1 : 0);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((times) => times * power).find((one) => one >= raw);
  const first = Math.floor(least / step);
  const last = Math.max(Math.ceil(greatest / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, n) => (first + n) * step);
}

/** A place whose plot is drawn anew whenever its width changes. */
function plot(label, draw) {
  const place = element("div", { class: "plot" });
  let drawn = 0;
  new ResizeObserver(([{ contentRect }]) => {
    const width = Math.floor(contentRect.width);
    if (width === 0 || width === drawn) return;
    drawn = width;
    const { height, shapes } = draw(width);
    const svg = shape("svg", { width, height, role: "img", "aria-label": label });
    svg.append(...shapes);
    place.replaceChildren(svg);
  }).observe(place);
  return place;
}

/**
 * Columns in order, with an axis of values.
 *
 * @param {string} label The plot's name.
 * @param {{name: string, title: string, value: number}[]} points
 * @param {(value: number) => string} axis How values are written at the axis.
 * @param {boolean} whole Whether there is nothing between two whole numbers.
 */
export function columns(label, points, axis, whole = false) {
  return plot(label, (width) => {
    const ticks = steps(
      Math.min(0, ...points.map(({ value }) => value)),
      Math.max(0, ...points.map(({ value }) => value)),
      4,
      whole,
    );
    const [least, greatest] = [ticks[0], ticks.at(-1)];
    const left = 10 + 8 * Math.max(...ticks.map((tick) => axis(tick).length));
    const [top, bottom, height] = [10, 26, 240];
    const y = (value) => top + (greatest - value) / (greatest - least) * (height - top - bottom);
    const each = (width - left) / points.length;
    // As many names as have space.
    const widest = 9 + 6.6 * Math.max(...points.map(({ name }) => name.length));
    const every = Math.max(1, Math.ceil(widest / each));
    const shapes = [];
    for (const tick of ticks) {
      shapes.push(
        shape("line", {
          class: tick === 0 ? "axis" : "grid",
          x1: left,
          x2: width,
          y1: y(tick),
          y2: y(tick),
        }),
        shape("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, axis(tick)),
      );
    }
    points.forEach(({ name, title, value }, place) => {
      const middle = left + (place + 0.5) * each;
      const thick = Math.max(1, Math.min(each * 0.72, 56));
      const column = shape("rect", {
        class: "mark",
        x: middle - thick / 2,
        y: Math.min(y(value), y(0)),
        width: thick,
        height: Math.abs(y(value) - y(0)),
        rx: Math.min(3, thick / 4),
      });
      column.append(shape("title", {}, title));
      shapes.push(column);
      if (place % every === 0) {
        shapes.push(shape("text", { x: middle, y: height - 8, "text-anchor": "middle" }, name));
      }
    });
    return { height, shapes };
  });
}

/**
 * Bars one below the other, each with its name and value above it; a mark where it was before.
 *
 * @param {string} label The plot's name.
 * @param {{name: string, text: string, value: number, before?: number}[]} rows
 */
export function bars(label, rows) {
  return plot(label, (width) => {
    const greatest = Math.max(1, ...rows.flatMap(({ value, before = 0 }) => [value, before]));
    const x = (value) => Math.max(0, value) / greatest * width;
    const each = 46;
    const shapes = rows.flatMap(({ name, text, value, before }, place) => {
      const top = place * each;
      const parts = [
        shape("text", { class: "name", x: 0, y: top + 15 }, name),
        shape("text", { class: "value", x: width, y: top + 15, "text-anchor": "end" }, text),
        shape("rect", { class: "track", x: 0, y: top + 23, width, height: 10, rx: 5 }),
        shape("rect", { class: "mark", x: 0, y: top + 23, width: x(value), height: 10, rx: 5 }),
      ];
      if (before !== undefined) {
        const at = Math.min(Math.max(x(before), 1.5), width - 1.5);
        parts.push(
          shape("line", { class: "before", x1: at, x2: at, y1: top + 19, y2: top + 37 }),
        );
      }
      return parts;
    });
    return { height: rows.length * each, shapes };
  });
}

/**
 * Parts of a whole in one bar a row.
 *
 * @param {string} label The plot's name.
 * @param {{name: string, text: string, parts: {kind: string, value: number, title: string}[]}[]} rows
 */
export function shares(label, rows) {
  return plot(label, (width) => {
    const each = 46;
    const shapes = rows.flatMap(({ name, text, parts }, place) => {
      const top = place * each;
      const whole = parts.reduce((sum, { value }) => sum + value, 0) || 1;
      let from = 0;
      return [
        shape("text", { class: "name", x: 0, y: top + 15 }, name),
        shape("text", { class: "value", x: width, y: top + 15, "text-anchor": "end" }, text),
        ...parts.map(({ kind, value, title }) => {
          const long = value / whole * width;
          const part = shape("rect", {
            class: kind,
            x: from,
            y: top + 23,
            width: Math.max(0, long - (long > 4 ? 2 : 0)),
            height: 12,
            rx: 2,
          });
          part.append(shape("title", {}, title));
          from += long;
          return part;
        }),
      ];
    });
    return { height: rows.length * each, shapes };
  });
}

/**
 * A table whose cells are as deep as their value is great.
 *
 * @param {string} caption What it shows.
 * @param {string} corner The name of the first column.
 * @param {string[]} heads Of the other columns.
 * @param {{name: string, cells: ({depth: number, text: string}|null)[]}[]} rows depth: 0 to 1.
 * @param {string} kind `sold` or `lost`.
 */
export function heatMap(caption, corner, heads, rows, kind) {
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, corner),
    ...heads.map((name) => element("th", { scope: "col" }, name)),
  );
  const body = rows.map(({ name, cells }) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      ...cells.map((cell) => {
        const made = element("td", {}, cell?.text ?? "");
        if (cell) made.style.setProperty("--depth", `${Math.round(cell.depth * 100)}%`);
        else made.className = "none";
        if (cell?.depth === 0) made.className = "zero";
        return made;
      }),
    )
  );
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": caption },
    element(
      "table",
      { class: `heat ${kind}` },
      element("caption", { class: "unseen" }, caption),
      element("thead", {}, head),
      element("tbody", {}, ...body),
    ),
  );
}

/** The figures of a plot as a table that opens. */
export function figures(summary, heads, rows) {
  return element(
    "details",
    {},
    element("summary", {}, summary),
    element(
      "table",
      { class: "figures" },
      element(
        "thead",
        {},
        element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head))),
      ),
      element(
        "tbody",
        {},
        ...rows.map(([name, ...values]) =>
          element(
            "tr",
            {},
            element("th", { scope: "row" }, name),
            ...values.map((value) => element("td", {}, value)),
          )
        ),
      ),
    ),
  );
}
