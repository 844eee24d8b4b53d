/** A credential, and the person or system it stands for. */
interface Actor {
  /** `key:<id>` or `person:<id>`. */
  credential: string;
  /** Absent in what was recorded before subjects were. */
  subject?: string | undefined;
}

/** Two spellings of one name are one person. */
const folded = (subject: string) => subject.trim().toLowerCase();

/** An approver's link stands for its person, whoever wrote it down; a key only for what the record says. */
function subjectOf({ credential, subject }: Actor): string | undefined {
  return credential.startsWith('person:') ? credential.slice('person:'.length) : subject;
}

/**
 * True when it is certain that a request and the decision on it came from two: credentials alone do not tell, since one
 * person may hold several. A decision without a subject on a request that has one proves nothing.
 */
export function areTwoPeople(requester: Actor, decider: Actor): boolean {
  if (requester.credential === decider.credential) return false;
  const asked = subjectOf(requester) ?? requester.credential;
  const decided = subjectOf(decider);
  if (decided === undefined) return requester.subject === undefined;
  return folded(asked) !== folded(decided);
}
