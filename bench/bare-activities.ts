/** Activities without an effect: what is left is Temporal's own cost. */
export const bareActivities = {
  async open({ id }: { id: string }): Promise<string> {
    return id;
  },
  async read({ id }: { id: string }): Promise<string> {
    return id;
  },
};

export type BareActivities = typeof bareActivities;
