import vm from 'node:vm';
import { TypedSearchAttributes } from '@temporalio/common';
import { msNumberToTs } from '@temporalio/common/lib/time.js';
import proto, { type coresdk } from '@temporalio/proto';
import { parseWorkflowCode } from '@temporalio/worker/lib/worker.js';
import { ReusableVMWorkflowCreator } from '@temporalio/worker/lib/workflow/reusable-vm.js';

/*
 * The only file that touches the SDK's internals (pinned, see package.json): it drives the isolate in which the worker runs
 * workflow code, the way the worker does, without the worker.
 */

type Job = coresdk.workflow_activation.IWorkflowActivationJob;
type Command = coresdk.workflow_commands.IWorkflowCommand;
export type { Command, Job };

/** What a workflow is told in one step. Time in epoch ms. */
export interface Activation {
  at: number;
  jobs: readonly Job[];
  replaying: boolean;
  historyLength: number;
  continueAsNewSuggested: boolean;
}

export interface RunIdentity {
  workflowId: string;
  runId: string;
  originalRunId: string;
  workflowType: string;
  startedAt: number;
  seed: number;
}

/** A bundle of workflow code, loaded once; each workflow in it has globals of its own, as in the worker. */
export class WorkflowIsolate {
  readonly #creator: ReusableVMWorkflowCreator;

  /**
   * Without `globalHandlers.install()` of the worker: it records a stack trace for each promise, for a query nobody makes
   * here. Without a time limit per call: each would start a watchdog thread.
   */
  constructor(code: string, activityNames: Iterable<string>) {
    const bundle = parseWorkflowCode(code);
    const script = new vm.Script(bundle.code, { filename: bundle.filename });
    const noLimit = undefined as unknown as number;
    this.#creator = new ReusableVMWorkflowCreator(script, bundle, noLimit, new Set(activityNames));
  }

  async load(run: RunIdentity): Promise<LoadedWorkflow> {
    const { workflowId, runId, originalRunId, workflowType, startedAt, seed } = run;
    const workflow = await this.#creator.createWorkflow({
      info: {
        workflowId,
        runId,
        workflowType,
        searchAttributes: {},
        typedSearchAttributes: new TypedSearchAttributes(),
        taskQueue: 'checkout',
        namespace: 'default',
        firstExecutionRunId: runId,
        originalExecutionRunId: originalRunId,
        startTime: new Date(startedAt),
        runStartTime: new Date(startedAt),
        taskTimeoutMs: 10_000,
        attempt: 1,
        historyLength: 3,
        historySize: 0,
        continueAsNewSuggested: false,
        targetWorkerDeploymentVersionChanged: false,
        suggestedContinueAsNewReasons: [],
        currentBuildId: '',
        currentDeploymentVersion: undefined,
        unsafe: {
          now: () => startedAt,
          isReplaying: false,
          isReplayingHistoryEvents: false,
          random: () => 0.5,
        },
      } as unknown as Parameters<ReusableVMWorkflowCreator['createWorkflow']>[0]['info'],
      randomnessSeed: [seed & 255, (seed >> 8) & 255, (seed >> 16) & 255],
      now: startedAt,
      showStackTraceSources: false,
    });
    return new LoadedWorkflow(runId, workflow);
  }
}

/** One workflow in the isolate: takes activations, gives commands. */
export class LoadedWorkflow {
  readonly #runId: string;
  readonly #workflow: Awaited<ReturnType<ReusableVMWorkflowCreator['createWorkflow']>>;

  constructor(runId: string, workflow: Awaited<ReturnType<ReusableVMWorkflowCreator['createWorkflow']>>) {
    this.#runId = runId;
    this.#workflow = workflow;
  }

  /** Throws with the workflow's own message when the task fails. */
  async activate(activation: Activation): Promise<Command[]> {
    const { successful, failed } = await this.#workflow.activate({
      runId: this.#runId,
      timestamp: msNumberToTs(activation.at),
      isReplaying: activation.replaying,
      historyLength: activation.historyLength,
      continueAsNewSuggested: activation.continueAsNewSuggested,
      // Those that a history of today begins with.
      availableInternalFlags: [1, 2],
      jobs: [...activation.jobs],
    });
    if (successful) return successful.commands ?? [];
    throw new Error(
      `workflow task failed: ${failed?.failure?.message ?? 'unknown'}\n${failed?.failure?.stackTrace ?? ''}`,
    );
  }

  async dispose(): Promise<void> {
    await this.#workflow.dispose();
  }
}

/** The same text for the same commands: what replay is compared by. */
export function commandText(commands: readonly Command[]): string {
  const { WorkflowActivationCompletion } = proto.coresdk.workflow_completion;
  const bytes = WorkflowActivationCompletion.encode({ successful: { commands: [...commands] } }).finish();
  return Buffer.from(bytes).toString('latin1');
}
