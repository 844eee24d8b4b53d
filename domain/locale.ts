/** True for a BCP 47 tag that amounts can be written in: of any other, the platform throws or takes the host's own locale. */
export function isLocale(tag: string): boolean {
  try {
    return Intl.NumberFormat.supportedLocalesOf(tag).length > 0;
  } catch {
    return false;
  }
}
