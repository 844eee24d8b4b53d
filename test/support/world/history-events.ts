import type { temporal } from '@temporalio/proto';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** Events of workflow tasks that no worker finished in time: what a slow machine adds to a history. */
function ofLateTask(events: readonly HistoryEvent[]): Set<string> {
  const ids = events.flatMap(({ eventId, workflowTaskTimedOutEventAttributes: late }) =>
    late ? [eventId, late.scheduledEventId, late.startedEventId] : [],
  );
  return new Set(ids.map(String));
}

/** A history as it would be had the workers been in time. */
export function timelyEvents(events: readonly HistoryEvent[]): HistoryEvent[] {
  const late = ofLateTask(events);
  return events.filter(({ eventId }) => !late.has(String(eventId)));
}

/** What the run decided on: neither signals nor the workflow tasks they lead to. */
export function decidedEvents(events: readonly HistoryEvent[]): HistoryEvent[] {
  return events.filter(
    (event) =>
      !event.workflowExecutionSignaledEventAttributes &&
      !event.workflowTaskScheduledEventAttributes &&
      !event.workflowTaskStartedEventAttributes &&
      !event.workflowTaskCompletedEventAttributes &&
      !event.workflowTaskTimedOutEventAttributes,
  );
}
