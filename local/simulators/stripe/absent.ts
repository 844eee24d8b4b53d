type Words<S extends string> = S extends `${infer First} ${infer Rest}` ? First | Words<Rest> : S;

/** Fields that are null here, named in one line; the SDK's types still see each of them. */
export function absent<S extends string>(names: S): Record<Words<S>, null>;
export function absent(names: string): Record<string, null> {
  return Object.fromEntries(names.split(' ').map((name) => [name, null]));
}
