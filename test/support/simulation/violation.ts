/** Something that must never happen, or a part of Temporal that the simulation does not have. Ends the schedule. */
export class Violation extends Error {
  /** The invariant's name, `I1` to `I14`, or what else went wrong. */
  readonly rule: string;

  constructor(rule: string, message: string) {
    super(`${rule}: ${message}`);
    this.rule = rule;
    this.name = 'Violation';
  }
}
