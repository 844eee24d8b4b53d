import type { World } from '../support/world/world.js';

/** Walks a path; gives the run to record and whether it comes to its end by itself. */
export type Path = (world: World) => Promise<{ run: ReturnType<World['handleOf']>; ends: boolean }>;
