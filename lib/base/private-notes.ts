/**
 * Makes a function that keeps notes about objects of other code, each in a private field of the object. No logger can
 * print a private field. A WeakMap takes 4 us longer for each request, most of it in garbage collections.
 *
 * @param make makes the notes about a new object
 */
export function privateNotes<N>(make: () => N): (owner: object) => N {
  class Annotated extends Given {
    readonly #notes = make()

    static notesOf(owner: object): N {
      return #notes in owner ? owner.#notes : new Annotated(owner).#notes
    }
  }
  return Annotated.notesOf
}

/** Its constructor returns the given object, so a subclass adds its private fields to this object. */
class Given {
  constructor(given: object) {
    // biome-ignore lint/correctness/noConstructorReturn: this is the purpose of the class
    return given
  }
}
