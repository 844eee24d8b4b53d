# Two images from one build: `--target api` and `--target worker`. Debian, not Alpine: the Temporal core of the worker is
# a native library for glibc. The base is an exact tag; raise it by hand, with the change in view.
FROM node:24.21.0-bookworm-slim AS base
WORKDIR /app

# Compiles TypeScript and the workflow bundle. Nothing of this stage reaches an image but what is copied by name below.
FROM base AS build
# The slim image has no certificate authorities, and the Temporal core takes them from the system (mTLS, Temporal Cloud).
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY contracts contracts
COPY domain domain
COPY workflows workflows
COPY activities activities
COPY providers providers
COPY workers workers
COPY api api
COPY runtime runtime
RUN npm run build

FROM base AS dependencies
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

# Every file belongs to root and the process does not: with the read-only root of docker-compose.yml or without it, nothing
# in the image can be changed from inside.
FROM base AS runtime
ENV NODE_ENV=production
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY --from=build /app/dist dist
# The account `node` of the base image, by number: an orchestrator can check that a number is not root.
USER 1000:1000
STOPSIGNAL SIGTERM

# Needs up to 15 s to stop: running effects end first. See docker-compose.yml, stop_grace_period.
FROM runtime AS worker
ENV HEALTH_PORT=8081 WORKFLOW_BUNDLE=/app/dist/workflow-bundle.js
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.HEALTH_PORT + '/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/workers/main.js"]

FROM runtime AS api
ENV HOST=0.0.0.0 PORT=3000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/api/main.js"]
