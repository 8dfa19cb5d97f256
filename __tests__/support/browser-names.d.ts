/**
 * The names of the browser that the types of playwright-core mention. The whole library `dom` would let the code of the
 * server use a browser by mistake.
 */
type Node = object
type HTMLElement = object
type SVGElement = object
type HTMLElementTagNameMap = Record<string, HTMLElement>
