import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

/** Address, namespace, TLS and API key from TEMPORAL_* variables or a profile file, as Temporal's own tools read them. */
export function temporalSettings() {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  return { connectionOptions, namespace: namespace ?? 'default' };
}

/**
 * A client for request paths: answers or fails within seconds. Without these settings gRPC waits 1 s and more before it
 * tries a restarted server again. Lazy: the process starts, and reports itself unready, while Temporal is away.
 * Its connection lasts as long as the process, which therefore must exit by itself: on a closed one the SDK's interceptor
 * would throw, where nobody can catch it, as soon as a call that was given up is tried again.
 */
export function createTemporalClient(): Client {
  const { connectionOptions, namespace } = temporalSettings();
  const connection = Connection.lazy({
    ...connectionOptions,
    channelArgs: {
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.min_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 500,
    },
    interceptors: [
      makeGrpcRetryInterceptor(
        defaultGrpcRetryOptions({ maxAttempts: 3, initialIntervalMs: () => 100, maxIntervalMs: () => 400 }),
      ),
    ],
  });
  return new Client({ connection, namespace });
}
