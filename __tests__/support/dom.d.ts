// The types of playwright-core name these types of browsers. Tests run in Node, which has none of them.
type Node = unknown
type HTMLElement = unknown
type SVGElement = unknown
type HTMLElementTagNameMap = Readonly<Record<string, never>>
