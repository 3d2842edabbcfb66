/**
 * The few lines of virtual DOM that the views need: describe the tree, patch what differs.
 *
 * Elements are matched by key, or else by tag and class, so that what stays keeps its focus and its
 * place in the accessibility tree. No markup is ever parsed: a text from the server stays a text.
 */
export interface VNode {
  readonly tag: string;
  readonly props: Props;
  readonly children: readonly (VNode | string)[];
}
export type Child = VNode | string | number | null | undefined | false | readonly Child[];
export interface Props {
  readonly key?: string;
  readonly class?: string;
  readonly [name: string]: unknown;
}

export function h(tag: string, props: Props = {}, ...children: Child[]): VNode {
  return { tag, props, children: flatten(children) };
}

function flatten(children: readonly Child[]): (VNode | string)[] {
  const flat: (VNode | string)[] = [];
  for (const child of children) {
    if (child === null || child === undefined || child === false || child === "") continue;
    if (Array.isArray(child)) flat.push(...flatten(child));
    else flat.push(typeof child === "object" ? child as VNode : String(child));
  }
  return flat;
}

const SVG = "http://www.w3.org/2000/svg";
const rendered = new WeakMap<Node, VNode>();

const identity = (node: VNode) => node.props.key ?? `${node.tag}.${node.props.class ?? ""}`;

/** Make the children of `parent` these. */
export function patch(parent: ParentNode & Node, children: readonly (VNode | string)[]): void {
  const pool = new Map<string, Node[]>();
  for (const node of parent.childNodes) {
    const before = rendered.get(node);
    const name = before ? identity(before) : "#text";
    pool.set(name, [...(pool.get(name) ?? []), node]);
  }
  const nodes = children.map((child) => {
    const reusable = pool.get(typeof child === "string" ? "#text" : identity(child))?.shift();
    return reusable ?? create(child, parent);
  });
  // What goes is removed first: moving a kept element would cost it the focus.
  for (const rest of pool.values()) for (const node of rest) parent.removeChild(node);
  let cursor = parent.firstChild;
  nodes.forEach((node, index) => {
    if (node === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(node, cursor);
    update(node, children[index]!);
  });
}

function create(child: VNode | string, parent: Node): Node {
  if (typeof child === "string") return document.createTextNode(child);
  const svg = child.tag === "svg" || (parent as Element).namespaceURI === SVG;
  return svg ? document.createElementNS(SVG, child.tag) : document.createElement(child.tag);
}

function update(node: Node, child: VNode | string): void {
  if (typeof child === "string") {
    if (node.nodeValue !== child) node.nodeValue = child;
    return;
  }
  const element = node as HTMLElement;
  const before = rendered.get(node)?.props ?? {};
  for (const name of Object.keys(before)) if (!(name in child.props)) set(element, name, undefined);
  for (const [name, value] of Object.entries(child.props)) {
    if (before[name] !== value || name === "value" || name === "checked") set(element, name, value);
  }
  // A canvas keeps what was drawn on it.
  if (child.tag !== "canvas") patch(element, child.children);
  // A choice can only be made among options that are there.
  if (child.tag === "select") set(element, "value", child.props.value);
  rendered.set(node, child);
}

function set(element: HTMLElement, name: string, value: unknown): void {
  if (name === "key") return;
  if (name.startsWith("on")) {
    (element as unknown as Record<string, unknown>)[name] = value ?? null;
  } else if (name.startsWith("--")) {
    // Through the object model, so that a page's policy against inline styles is kept.
    element.style.setProperty(name, String(value ?? ""));
  } else if ((name === "value" && element.localName !== "option") || name === "checked") {
    const input = element as unknown as Record<string, unknown>;
    if (input[name] !== value) input[name] = value ?? "";
  } else if (value === undefined || value === null || value === false) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}
