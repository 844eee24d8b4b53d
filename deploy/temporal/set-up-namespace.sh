#!/bin/sh
# Creates the namespace and the search attributes of the workflows: without them, every start fails. Safe to repeat; an
# attribute that exists with another type is an error. Address and namespace come from TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE.
set -eu

# A server that has just begun to listen answers a few seconds later, and shows a new namespace 2 s after its creation.
retry() {
  attempt=1
  until "$@"; do
    if [ "$attempt" -ge 30 ]; then
      echo "gave up: $*" >&2
      return 1
    fi
    attempt=$((attempt + 1))
    sleep 2
  done
}

# How long the history of a closed run can be read.
namespace() {
  temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 30d
}

search_attributes() {
  temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
    --name TenantId --type Keyword \
    --name CallId --type Keyword \
    --name CheckoutState --type Keyword \
    --name Rail --type Keyword \
    --name RefundState --type Keyword \
    --name LatePayment --type Keyword
}

retry temporal operator cluster health
retry namespace
retry search_attributes
