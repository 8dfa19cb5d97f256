/** Builds and updates the document. Text from the server only ever becomes text, never markup. */

/** @typedef {Node | string | number | false | null | undefined} Child */
/** @typedef {Child | Child[]} Children */
/** @typedef {Record<string, unknown>} Props */

/** The handlers that `patch` moves to the element that stays. */
const HANDLERS = /** @type {const} */ (['onclick', 'oninput', 'onchange', 'onsubmit', 'ontoggle', 'onclose'])

/**
 * Makes an element. Functions become handlers, everything else becomes an attribute: `false` and `undefined` leave it out.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Props | null} [props]
 * @param {...Children} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, props, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(props ?? {})) {
    if (typeof value === 'function') Reflect.set(made, name, value)
    else if (value !== undefined && value !== null && value !== false)
      made.setAttribute(name, value === true ? '' : String(value))
  }
  made.append(...nodes(children))
  return made
}

/**
 * A row of nodes without an element around them.
 *
 * @param {...Children} children
 */
export function fragment(...children) {
  const made = document.createDocumentFragment()
  made.append(...nodes(children))
  return made
}

/** @param {Children[]} children */
function nodes(children) {
  return children
    .flat()
    .filter((child) => child !== undefined && child !== null && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)))
}

/** @param {string} id */
export function byId(id) {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}

/**
 * Shows new content in an element, and changes only what differs. So the focus, the selection, open details and the scroll
 * position stay. Children with `data-key` keep their identity, and the content of `data-opaque` is left alone.
 *
 * @param {Element} place
 * @param {...Children} children
 */
export function show(place, ...children) {
  const focused = document.activeElement
  const next = element('div', null, ...children)
  patchChildren(place, next)
  if (focused instanceof HTMLElement && focused !== document.activeElement && focused !== document.body) {
    if (focused.isConnected) focused.focus({ preventScroll: true })
    else if (place.id === 'main' && place instanceof HTMLElement) place.focus({ preventScroll: true })
  }
}

/**
 * @param {ParentNode & Node} old
 * @param {ParentNode & Node} next
 */
function patchChildren(old, next) {
  const fresh = [...next.childNodes]
  const wanted = new Set(fresh.map(keyOf).filter((key) => key !== undefined))
  for (const child of [...old.childNodes]) {
    const key = keyOf(child)
    if (key !== undefined && !wanted.has(key)) child.remove()
  }
  const known = new Map([...old.childNodes].map((child) => [keyOf(child), child]))
  let cursor = old.firstChild
  for (const child of fresh) {
    const key = keyOf(child)
    const same = key === undefined ? cursor : known.get(key)
    if (!same || !isSameKind(same, child)) {
      old.insertBefore(child, cursor)
      continue
    }
    if (same === cursor) cursor = cursor.nextSibling
    else old.insertBefore(same, cursor)
    patchNode(same, child)
  }
  while (cursor) {
    const rest = cursor
    cursor = cursor.nextSibling
    rest.remove()
  }
}

/**
 * @param {Node} node
 * @returns {string | undefined}
 */
function keyOf(node) {
  return node instanceof HTMLElement ? node.dataset.key : undefined
}

/**
 * @param {Node} old
 * @param {Node} next
 */
function isSameKind(old, next) {
  return old.nodeName === next.nodeName && keyOf(old) === keyOf(next)
}

/**
 * @param {Node} old
 * @param {Node} next
 */
function patchNode(old, next) {
  if (old instanceof Element && next instanceof Element) patchElement(old, next)
  else if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue
}

/**
 * @param {Element} old
 * @param {Element} next
 */
function patchElement(old, next) {
  for (const { name } of [...old.attributes])
    if (!next.hasAttribute(name) && !isOwnState(old, name)) old.removeAttribute(name)
  for (const { name, value } of [...next.attributes])
    if (old.getAttribute(name) !== value && !isOwnState(old, name)) old.setAttribute(name, value)
  if (old instanceof HTMLElement && next instanceof HTMLElement)
    for (const handler of HANDLERS) Reflect.set(old, handler, Reflect.get(next, handler))
  if (!old.hasAttribute('data-opaque')) patchChildren(old, next)
}

/**
 * Whether an attribute belongs to the reader: open details stay open.
 *
 * @param {Element} old
 * @param {string} name
 */
function isOwnState(old, name) {
  return name === 'open' && old instanceof HTMLDetailsElement
}
